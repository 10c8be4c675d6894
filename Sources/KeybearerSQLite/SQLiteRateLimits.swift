import Foundation
import GRDB
package import Keybearer
import KeybearerSQL

extension SQLiteEngine {
    /// One write transaction for all requests: its write lock makes read, compute and write one step.
    package func reserve(_ requests: [QuotaRequest], now: Timestamp) async throws -> [Reservation] {
        if requests.isEmpty { return [] }
        let requestedAt = SteadyTime.systemNow()
        return try await writeRaw { db in
            let now = Self.time(now, requestedAt: requestedAt)
            let sharedReservations = try Self.sharedReservations(at: now, db)
            return try requests.map { try Self.reserve($0, beside: sharedReservations, now: now, db) }
        }
    }

    /// The wall time at which a transaction gets the write lock, computed from a reading from before it waited. A
    /// process that was stopped in between would otherwise look like a clock that was set back.
    static func time(_ now: Timestamp, requestedAt: SteadyTime) -> Timestamp {
        let waited = requestedAt.duration(to: .systemNow())
        // A shorter wait is harmless, for the window tolerates it, and tests hold their clocks.
        return waited < .milliseconds(RateLimitWindow.standstill / 2) ? now : now.advanced(by: waited)
    }

    /// How long a reclaim request is shown to nodes: many times their interval of looking.
    private static let reclaimMemory: Duration = .seconds(2)

    package func postReclaims(of userIDs: [UserID], now: Timestamp) async throws {
        try await writeRaw { db in
            let statement = try db.cachedStatement(
                sql: """
                    INSERT INTO budget_recalls (user_id, round, at) SELECT id, 1, ? FROM users WHERE id = ?
                    ON CONFLICT (user_id) DO UPDATE SET round = round + 1, at = excluded.at
                    """)
            for id in userIDs { try statement.execute(arguments: [now.millisecondsSinceEpoch, id.rawValue]) }
        }
    }

    package func reclaims(now: Timestamp) async throws -> [ReclaimRequest] {
        try await withTaskExecutorPreference(executor) {
            try readShort { db in
                try Row.fetchAll(
                    db.cachedStatement(sql: "SELECT user_id, round FROM budget_recalls WHERE at > ?"),
                    arguments: [now.millisecondsSinceEpoch - Self.reclaimMemory.wholeMilliseconds]
                ).map { ReclaimRequest(userID: UserID(rawValue: $0["user_id"]), round: $0["round"]) }
            }
        }
    }

    private static func reserve(
        _ request: QuotaRequest, beside sharedReservations: [OpenSharedReservation], now: Timestamp, _ db: Database
    ) throws -> Reservation {
        guard let stored = try rateLimitWindow(of: request.userID, db) else {
            try DeletedAccountWindows.record(request, now: now, SQLiteConnection(db: db))
            return Reservation(granted: 0, minute: 0, charged: 0, resets: [])
        }
        var window = stored
        let reservation = window.apply(
            request, now: now, sharedReservations: sharedReservations.buckets(without: request.holder))
        // What merely aged is computed again next time: a look and a refusal write nothing.
        if window.isWorthWriting(over: stored) { try put(window, of: request.userID, db) }
        return reservation
    }

    /// The account's window, empty when it never used one; nil when there is no such account.
    static func rateLimitWindow(of userID: UserID, _ db: Database) throws -> RateLimitWindow? {
        let statement = try db.cachedStatement(
            sql: """
                SELECT b.rolling_hour FROM users u LEFT JOIN budgets b ON b.user_id = u.id WHERE u.id = ?
                """)
        guard let row = try Row.fetchOne(statement, arguments: [userID.rawValue]) else { return nil }
        guard let stored = row["rolling_hour"] as Data? else { return RateLimitWindow() }
        guard let window = RateLimitWindow(storedForm: [UInt8](stored)) else {
            throw KeybearerError.unreadable("budgets.rolling_hour")
        }
        return window
    }

    private static func put(_ window: RateLimitWindow, of userID: UserID, _ db: Database) throws {
        let statement = try db.cachedStatement(
            sql: """
                INSERT INTO budgets (user_id, rolling_hour) VALUES (?, ?)
                ON CONFLICT (user_id) DO UPDATE SET rolling_hour = excluded.rolling_hour
                """)
        try statement.execute(arguments: [userID.rawValue, Data(window.storedForm)])
    }
}
