import GRDB
package import Keybearer

/// A shared reservation as the file has it, see ``SharedReservation``.
struct OpenSharedReservation {
    let holder: String
    let bucket: RateLimitWindow.Bucket
}

extension [OpenSharedReservation] {
    /// What counts for every account, without those of the holder who requests.
    func buckets(without holder: NodeID?) -> [RateLimitWindow.Bucket] {
        filter { $0.holder != holder?.rawValue }.map(\.bucket)
    }
}

extension SQLiteEngine {
    package var opensSharedReservations: Bool { true }

    /// None is opened beside one that somebody else has open, also a process that is gone: so crashes, however many,
    /// cost the accounts one process's shared reservations an hour.
    package func openSharedReservation(
        atMost count: Int, holder: NodeID, life: Duration, now: Timestamp
    ) async throws -> SharedReservation? {
        let requestedAt = SteadyTime.systemNow()
        return try await writeRaw { db in
            try db.executeCached(
                sql: "DELETE FROM budget_allowances WHERE minute <= ?",
                arguments: [RateLimitWindow.lastFreedMinute(at: now)])
            let others = try Self.sharedReservations(at: Self.time(now, requestedAt: requestedAt), db).buckets(
                without: holder)
            let limit = try Int.fetchOne(
                db.cachedStatement(
                    sql: """
                        SELECT min(hourly_limit) FROM (
                            SELECT hourly_limit FROM plans WHERE hourly_limit > 0
                            UNION ALL SELECT min(hourly_limit) FROM users WHERE hourly_limit > 0
                            UNION ALL SELECT min(hourly_limit) FROM workspaces WHERE hourly_limit > 0)
                        """))
            let count = SharedReservation.count(atMost: count, smallestLimit: limit ?? 0)
            guard others.isEmpty, count > 0 else { return nil }
            let bucket = RateLimitWindow.Bucket(
                minute: RateLimitWindow.minute(of: now.advanced(by: life)), count: count)
            try db.executeCached(
                sql: "INSERT INTO budget_allowances (holder, minute, count) VALUES (?, ?, ?)",
                arguments: [holder.rawValue, bucket.minute, bucket.count])
            return SharedReservation(id: db.lastInsertedRowID, bucket: bucket)
        }
    }

    package func closeSharedReservations(of holder: NodeID, keeping: [Int64]) async throws {
        try await writeRaw { db in
            let marks = databaseQuestionMarks(count: keeping.count)
            try db.executeCached(
                sql: "DELETE FROM budget_allowances WHERE holder = ? AND id NOT IN (\(marks))",
                arguments: [holder.rawValue] + StatementArguments(keeping))
        }
    }

    /// The shared reservations are read first: one that is closed in between is then counted twice, never not at all.
    package func use(
        of sharedReservation: SharedReservation, by userID: UserID, limit: Int, holder: NodeID, now: Timestamp
    ) throws -> Reservation {
        try readShort { db in
            let others = try Self.sharedReservations(db).buckets(without: holder)
            guard let window = try Self.rateLimitWindow(of: userID, db) else {
                return Reservation(granted: 0, minute: 0, charged: 0, resets: [])
            }
            return window.use(sharedReservation.bucket, limit: limit, now: now, sharedReservations: others)
        }
    }

    /// All that are open, for a transaction that writes. One that a crash left open while the clock was ahead counts
    /// from now on as if it were opened now, so that it frees within 62 minutes.
    static func sharedReservations(at now: Timestamp, _ db: Database) throws -> [OpenSharedReservation] {
        let open = try sharedReservations(db)
        let early = Set(open.map(\.bucket.minute)).filter { RateLimitWindow.foldedMinute($0, at: now) != $0 }
        if early.isEmpty { return open }
        for minute in early {
            try db.executeCached(
                sql: "UPDATE budget_allowances SET minute = ? WHERE minute = ?",
                arguments: [RateLimitWindow.foldedMinute(minute, at: now), minute])
        }
        return try sharedReservations(db)
    }

    private static func sharedReservations(_ db: Database) throws -> [OpenSharedReservation] {
        let statement = try db.cachedStatement(sql: "SELECT holder, minute, count FROM budget_allowances")
        return try Row.fetchAll(statement).map { row in
            OpenSharedReservation(
                holder: row["holder"], bucket: RateLimitWindow.Bucket(minute: row["minute"], count: row["count"]))
        }
    }
}
