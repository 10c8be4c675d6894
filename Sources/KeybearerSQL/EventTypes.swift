package import Keybearer

enum EventTypeSQL {
    static let list = SQL("SELECT name, description, example, updated_at FROM event_types ORDER BY name")
    static let put = SQL(
        """
        INSERT INTO event_types (name, description, example, updated_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT (name) DO UPDATE
        SET description = excluded.description, example = excluded.example, updated_at = excluded.updated_at
        """)
    static let delete = SQL("DELETE FROM event_types WHERE name = $1")
    static let count = SQL("SELECT count(*) AS count FROM event_types WHERE name <> $1")

    static let all = [list, put, delete, count]
}

extension SQLStore {
    package func eventTypes() async throws -> [EventType] {
        try await engine.read { connection in
            try connection.rows(EventTypeSQL.list).map { row in
                EventType(
                    name: EventName(rawValue: try row.requiredText("name")),
                    description: try row.requiredText("description"), example: row.text("example"),
                    updatedAt: try row.timestamp("updated_at"))
            }
        }
    }

    package func putEventType(_ type: EventType, by authority: Authority, audit: AuditEvent) async throws {
        try await write(by: authority, audit: audit) { connection, _ in
            try connection.hold(.eventTypes)
            guard try connection.count(EventTypeSQL.count, [.id(type.name)]) < EventType.most else {
                throw KeybearerError(.conflict, "There can be at most \(EventType.most) kinds of events.")
            }
            try connection.execute(
                EventTypeSQL.put,
                [.id(type.name), .text(type.description), .optional(type.example), .time(type.updatedAt)])
            return .changes((), with: [])
        }
    }

    package func deleteEventType(_ name: EventName, by authority: Authority, audit: AuditEvent) async throws {
        try await write(by: authority, audit: audit) { connection, _ in
            guard try connection.execute(EventTypeSQL.delete, [.id(name)]) == 1 else {
                throw KeybearerError(.notFound, "There is no such kind of event.")
            }
            return .changes((), with: [])
        }
    }
}
