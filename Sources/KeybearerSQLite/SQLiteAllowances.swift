import GRDB
package import Keybearer

/// An allowance as the file has it, see ``Allowance``.
struct OpenAllowance {
    let holder: String
    let bucket: RateLimitWindow.Bucket
}

extension [OpenAllowance] {
    /// What counts for every account, but for those of the one who reckons.
    func buckets(without holder: NodeID?) -> [RateLimitWindow.Bucket] {
        filter { $0.holder != holder?.rawValue }.map(\.bucket)
    }
}

extension SQLiteEngine {
    package var opensAllowances: Bool { true }

    /// None is opened beside one that somebody else has open, also a process that is gone: so crashes, however many,
    /// cost the accounts one process's allowances an hour.
    package func openAllowance(
        atMost count: Int, holder: NodeID, life: Duration, now: Timestamp
    ) async throws -> Allowance? {
        let askedAt = SteadyTime.systemNow()
        return try await writeRaw { db in
            try db.executeCached(
                sql: "DELETE FROM budget_allowances WHERE minute <= ?",
                arguments: [RateLimitWindow.lastFreedMinute(at: now)])
            let others = try Self.allowances(at: Self.time(now, askedAt: askedAt), db).buckets(without: holder)
            let limit = try Int.fetchOne(
                db.cachedStatement(sql: "SELECT min(hourly_limit) FROM plans WHERE hourly_limit > 0"))
            let count = Allowance.count(atMost: count, smallestLimit: limit ?? 0)
            guard others.isEmpty, count > 0 else { return nil }
            let bucket = RateLimitWindow.Bucket(
                minute: RateLimitWindow.minute(of: now.advanced(by: life)), count: count)
            try db.executeCached(
                sql: "INSERT INTO budget_allowances (holder, minute, count) VALUES (?, ?, ?)",
                arguments: [holder.rawValue, bucket.minute, bucket.count])
            return Allowance(id: db.lastInsertedRowID, bucket: bucket)
        }
    }

    package func closeAllowances(of holder: NodeID, keeping: [Int64]) async throws {
        try await writeRaw { db in
            let marks = databaseQuestionMarks(count: keeping.count)
            try db.executeCached(
                sql: "DELETE FROM budget_allowances WHERE holder = ? AND id NOT IN (\(marks))",
                arguments: [holder.rawValue] + StatementArguments(keeping))
        }
    }

    /// The allowances are read first: one that is closed in between is then counted twice, never not at all.
    package func use(
        of allowance: Allowance, by userID: UserID, limit: Int, holder: NodeID, now: Timestamp
    ) throws -> Reservation {
        try readShort { db in
            let others = try Self.allowances(db).buckets(without: holder)
            guard let window = try Self.rateLimitWindow(of: userID, db) else {
                return Reservation(granted: 0, minute: 0, charged: 0, resets: [])
            }
            return window.use(allowance.bucket, limit: limit, now: now, allowances: others)
        }
    }

    /// All that are open, for a transaction that writes. One that a crash left open while the clock was ahead counts from
    /// now on as if it were opened now, so that it frees within 62 minutes.
    static func allowances(at now: Timestamp, _ db: Database) throws -> [OpenAllowance] {
        let open = try allowances(db)
        let ahead = Set(open.map(\.bucket.minute)).filter { RateLimitWindow.foldedMinute($0, at: now) != $0 }
        if ahead.isEmpty { return open }
        for minute in ahead {
            try db.executeCached(
                sql: "UPDATE budget_allowances SET minute = ? WHERE minute = ?",
                arguments: [RateLimitWindow.foldedMinute(minute, at: now), minute])
        }
        return try allowances(db)
    }

    private static func allowances(_ db: Database) throws -> [OpenAllowance] {
        let statement = try db.cachedStatement(sql: "SELECT holder, minute, count FROM budget_allowances")
        return try Row.fetchAll(statement).map { row in
            OpenAllowance(
                holder: row["holder"], bucket: RateLimitWindow.Bucket(minute: row["minute"], count: row["count"]))
        }
    }
}
