import Foundation
import GRDB
public import Keybearer

extension SQLiteStore {
    /// One write transaction for all of them: the write lock is what makes read, reckon and write back one step.
    public func reserve(_ requests: [BudgetRequest], now: Timestamp) async throws -> [Reservation] {
        if requests.isEmpty { return [] }
        return try await write { db in try requests.map { try Self.reserve($0, now: now, db) } }
    }

    private static func reserve(_ request: BudgetRequest, now: Timestamp, _ db: Database) throws -> Reservation {
        guard var hour = try rollingHour(of: request.userID, db) else {
            return Reservation(granted: 0, minute: 0, charged: 0, returns: [])
        }
        let stored = hour
        if let unused = request.unused { hour.giveBack(unused.count, minute: unused.minute) }
        let isGivenBack = hour != stored
        let reservation = hour.reserve(request.wanted, limit: request.limit, life: request.life, now: now)
        // What merely aged is reckoned again next time: a look and a refusal write nothing.
        if isGivenBack || reservation.granted > 0 { try put(hour, of: request.userID, db) }
        return reservation
    }

    /// The account's hour, empty when it never used one; nil when there is no such account.
    private static func rollingHour(of userID: UserID, _ db: Database) throws -> RollingHour? {
        let statement = try db.cachedStatement(
            sql: """
                SELECT b.rolling_hour FROM users u LEFT JOIN budgets b ON b.user_id = u.id WHERE u.id = ?
                """)
        guard let row = try Row.fetchOne(statement, arguments: [userID.rawValue]) else { return nil }
        guard let stored = row["rolling_hour"] as Data? else { return RollingHour() }
        guard let hour = RollingHour(storedForm: [UInt8](stored)) else {
            throw KeybearerError.unreadable("budgets.rolling_hour")
        }
        return hour
    }

    private static func put(_ hour: RollingHour, of userID: UserID, _ db: Database) throws {
        let statement = try db.cachedStatement(
            sql: """
                INSERT INTO budgets (user_id, rolling_hour) VALUES (?, ?)
                ON CONFLICT (user_id) DO UPDATE SET rolling_hour = excluded.rolling_hour
                """)
        try statement.execute(arguments: [userID.rawValue, Data(hour.storedForm)])
    }
}
