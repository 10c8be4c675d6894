import Foundation
package import Keybearer

enum NodeSQL {
    static let behind = SQL("SELECT id, lease_ms FROM nodes WHERE acknowledged < $1 ORDER BY id")
    static let list = SQL("SELECT id, label, version, acknowledged, renewals, lease_ms FROM nodes ORDER BY id")
    static let expel = SQL("DELETE FROM nodes WHERE id = $1 AND acknowledged < $2")
    static let remove = SQL("DELETE FROM nodes WHERE id = $1")

    /// Also in the schema of version 0.1.
    static let stand = SQL("SELECT id, renewals, lease_ms FROM nodes")
    static let removeAll = SQL("DELETE FROM nodes")

    static let all = [behind, list, expel, remove, stand, removeAll]
}

enum SettingSQL {
    static let find = SQL("SELECT value FROM stored_settings WHERE name = $1")
    static let put = SQL(
        """
        INSERT INTO stored_settings (name, value) VALUES ($1, $2)
        ON CONFLICT (name) DO UPDATE SET value = excluded.value
        """)
    static let raise = SQL(
        """
        INSERT INTO stored_settings (name, value) VALUES ($1, $2)
        ON CONFLICT (name) DO UPDATE SET value = excluded.value
        WHERE CAST(stored_settings.value AS BIGINT) < CAST(excluded.value AS BIGINT)
        """)
    static let putNew = SQL(
        "INSERT INTO stored_settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING")

    /// Whoever notes something holds its row until the transaction ends: an upsert locks it, new or not.
    static let lock = SQL(
        """
        INSERT INTO stored_settings (name, value) VALUES ($1, $2)
        ON CONFLICT (name) DO UPDATE SET value = stored_settings.value
        """)

    static let all = [find, put, putNew, raise, lock]
}

extension StoredSetting {
    /// Lets keys regenerate themselves, in a database that is being made for a demonstration.
    package static func openRegenerateByKey(_ connection: any SQLConnection) throws {
        try connection.execute(SettingSQL.put, [.text(Self.regenerateByKey.rawValue), .text("open")])
    }
}

extension SQLStore {
    package func registerNode(
        _ id: NodeID, label: String, version: String, lease: Duration
    ) async throws -> ChangeLogPosition {
        try await engine.registerNode(id, label: label, version: version, lease: lease)
    }

    package func renewLease(of id: NodeID, applied: ChangeLogPosition) async throws -> LeaseRenewal {
        try await engine.renewLease(of: id, applied: applied)
    }

    package func changes(after position: ChangeLogPosition, limit: Int) async throws -> [Change]? {
        try await engine.changes(after: position, limit: limit)
    }

    package func waitForNotification(atMost span: Duration) async { await engine.waitForNotification(atMost: span) }

    package func recordChange(
        of subject: Change.Subject, by authority: Authority, audit: AuditEvent
    ) async throws -> Committed<Void> {
        try await change(subject, by: authority, audit: audit) { _, _ in .changes((), with: []) }
    }

    package func nodes(behind number: Int64) async throws -> [(id: NodeID, lease: Duration)] {
        try await shortRead(on: .fence) { connection in
            try connection.rows(NodeSQL.behind, [.number(number)]).map { row in
                (NodeID(rawValue: try row.requiredText("id")), .milliseconds(try row.requiredNumber("lease_ms")))
            }
        }
    }

    package func expelNodes(_ ids: [NodeID], behind number: Int64) async throws {
        try await maintain(on: .fence) { connection in
            try connection.executeMany(NodeSQL.expel, ids.sorted().map { [.id($0), .number(number)] })
        }
    }

    package func unregisterNode(_ id: NodeID) async throws {
        try await maintain(on: .fence) { try $0.execute(NodeSQL.remove, [.id(id)]) }
    }

    package func nodes() async throws -> [RegisteredNode] {
        try await shortRead { try $0.rows(NodeSQL.list).map { try StoredValues.node($0) } }
    }

    package func storedSetting(_ name: StoredSetting) async throws -> String? {
        try await shortRead { try $0.first(SettingSQL.find, [.text(name.rawValue)])?.requiredText("value") }
    }

    package func raiseStoredSetting(_ name: StoredSetting, to number: Int) async throws {
        try await maintain { try $0.execute(SettingSQL.raise, [.text(name.rawValue), .text(String(number))]) }
    }
}

extension SQLStore {
    package func noteStart(
        with settings: [String: String],
        event: @escaping @Sendable (_ name: String, _ change: ValueChange) -> AuditEvent
    ) async throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        let text = String(decoding: try encoder.encode(settings), as: UTF8.self)
        let row = SQLValue.text(StoredSetting.startSettings.rawValue)
        try await maintain { connection in
            try connection.execute(SettingSQL.lock, [row, .text(text)])
            let known = try connection.first(SettingSQL.find, [row])?.requiredText("value") ?? text
            guard known != text else { return }
            // What cannot be read is compared with nothing: it must not keep a server from its start.
            let before = (try? JSONDecoder().decode([String: String].self, from: Data(known.utf8))) ?? settings
            for name in Set(before.keys).union(settings.keys).sorted() where before[name] != settings[name] {
                let change = ValueChange(difference: before[name], settings[name])
                try connection.execute(Self.record(event(name, change)))
            }
            try connection.execute(SettingSQL.put, [row, .text(text)])
        }
    }
}

extension SQLConnection {
    /// Holds a row that stands for something until the transaction ends: whoever counts it holds it, so of two that make
    /// the last one, one finds it made.
    func hold(_ name: StoredSetting) throws {
        try execute(SettingSQL.lock, [.text(name.rawValue), .text("")])
    }
}

/// Rate limits: reservations differ in each engine, so that their rows are read, reckoned and written in one step.
extension SQLStore {
    package func reserve(_ requests: [QuotaRequest], now: Timestamp) async throws -> [Reservation] {
        try await engine.reserve(requests, now: now)
    }

    package func postReclaims(of userIDs: [UserID], now: Timestamp) async throws {
        try await engine.postReclaims(of: userIDs, now: now)
    }

    package func reclaims(now: Timestamp) async throws -> [ReclaimRequest] { try await engine.reclaims(now: now) }

    package var opensSharedReservations: Bool { engine.opensSharedReservations }

    package func openSharedReservation(
        atMost count: Int, holder: NodeID, life: Duration, now: Timestamp
    ) async throws -> SharedReservation? {
        try await engine.openSharedReservation(atMost: count, holder: holder, life: life, now: now)
    }

    package func closeSharedReservations(of holder: NodeID, keeping ids: [Int64]) async throws {
        try await engine.closeSharedReservations(of: holder, keeping: ids)
    }

    package func use(
        of sharedReservation: SharedReservation, by userID: UserID, limit: Int, holder: NodeID, now: Timestamp
    ) throws -> Reservation {
        try engine.use(of: sharedReservation, by: userID, limit: limit, holder: holder, now: now)
    }
}
