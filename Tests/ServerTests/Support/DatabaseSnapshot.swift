@testable import Keybearer
@testable import KeybearerSQL

/// All rows of a database that somebody's change could touch. Uses, windows, nodes, and the positions and seals of the
/// audit log are left out: they move by themselves.
struct DatabaseSnapshot: Sendable {
    /// The rows of each table, in the order of its key.
    private let tables: [String: [[SQLValue]]]

    init(_ store: SQLStore) async throws {
        let engine = store.engine
        tables = try await engine.read { connection in
            var tables: [String: [[SQLValue]]] = [:]
            for table in CopiedTable.all where !Self.movingTables.contains(table.name) {
                let moving = table.name == "audit_events" ? Self.sealerColumns : Self.movingColumns
                let columns = table.columns.filter { !moving.contains($0.name) }
                var rows = try connection.rows(table.firstPage, [.number(1_000_000)])
                if table.name == "audit_events" { rows.removeAll(where: Self.isFailedSignIn) }
                tables[table.name] = rows.map { row in columns.map { Self.exact(row.value($0)) } }
            }
            tables["changes"] = [[.number(try engine.newestNumber(connection))]]
            return tables
        }
    }

    private static let movingTables: Set<String> = [
        "budgets", "budget_allowances", "usage_counts", "key_histories", "audit_chain",
    ]
    private static let movingColumns: Set<String> = ["last_used_at", "last_used_ip", "last_seen_at"]

    private static let sealerColumns: Set<String> = ["position", "seal_key_id", "salt", "commitment", "seal"]

    /// They are written a second behind a refusal that may have come before: ``FailedSignIns``.
    private static func isFailedSignIn(_ row: any StoredRow) -> Bool {
        row.text("action") == AuditEvent.Action.signInFailed.rawValue
    }

    /// Texts are compared by their bytes: strings are equal in every spelling of a letter.
    private static func exact(_ value: SQLValue) -> SQLValue {
        if case .text(let text) = value { .bytes(Array(text.utf8)) } else { value }
    }

    /// The tables whose rows differ.
    func difference(from other: DatabaseSnapshot) -> [String] {
        tables.keys.filter { tables[$0] != other.tables[$0] }.sorted()
    }
}
