package import Keybearer

/// The hours of accounts that were deleted: a backup that still has such an account gives nobody a second hour.
enum PastHourSQL {
    static let take = SQL("DELETE FROM budgets WHERE user_id = $1 RETURNING rolling_hour")
    static let put = SQL(
        """
        INSERT INTO past_hours (user_id, rolling_hour, ended_at) VALUES ($1, $2, $3)
        ON CONFLICT (user_id) DO UPDATE SET rolling_hour = excluded.rolling_hour, ended_at = excluded.ended_at
        """)
    static let find = SQL("SELECT rolling_hour, ended_at FROM past_hours WHERE user_id = $1")
    static let old = SQL("SELECT user_id FROM past_hours WHERE ended_at < $1 ORDER BY user_id LIMIT $2")
    static let forget = SQL("DELETE FROM past_hours WHERE user_id = $1")
    static let hours = SQL("SELECT user_id, rolling_hour FROM budgets ORDER BY user_id")
    static let gone = SQL("SELECT user_id, rolling_hour, ended_at FROM past_hours ORDER BY user_id")
    static let putHour = SQL(
        """
        INSERT INTO budgets (user_id, rolling_hour) SELECT id, $2 FROM users WHERE id = $1
        ON CONFLICT (user_id) DO UPDATE SET rolling_hour = excluded.rolling_hour
        """)

    static let all = [take, put, find, old, forget, hours, gone, putHour]
}

package enum PastHours {
    /// A bucket counts for 61 minutes, and a reservation is charged to the last minute in which it may be used.
    private static let memory: Duration = .seconds(2 * 3_600)

    /// Takes the hour of an account that is being deleted. It waits for a reservation that is under way.
    static func keep(_ userID: UserID, at time: Timestamp, _ connection: any SQLConnection) throws {
        if let row = try connection.first(PastHourSQL.take, [.id(userID)]) {
            let hour = try row.requiredBytes("rolling_hour")
            try connection.execute(PastHourSQL.put, [.id(userID), .bytes(hour), .time(time)])
        }
    }

    /// Those that count for nothing any more.
    static let old = OldRows(
        find: PastHourSQL.old, bounds: { [.time($0.advanced(by: .zero - memory))] }, remove: PastHourSQL.forget,
        key: { [.text(try $0.requiredText("user_id"))] })

    /// Records what a node used of an allowance for an account that was deleted meanwhile.
    package static func record(
        _ request: BudgetRequest, now: Timestamp, _ connection: any SQLConnection
    ) throws {
        guard let used = request.unrecorded,
            let row = try connection.first(PastHourSQL.find, [.id(request.userID)]),
            var hour = RollingHour(storedForm: try row.requiredBytes("rolling_hour"))
        else { return }
        let look = BudgetRequest(
            userID: request.userID, wanted: 0, limit: request.limit, life: .zero, unrecorded: used)
        _ = hour.answer(look, now: now, allowances: [])
        try connection.execute(
            PastHourSQL.put,
            [.id(request.userID), .bytes(hour.storedForm), .number(try row.requiredNumber("ended_at"))])
    }

    /// What was admitted here lately stays counted in a database that takes this one's place: of accounts that both have,
    /// of those that were deleted here, and of those that are missing there.
    package static func carry(
        from old: any SQLConnection, to new: any SQLConnection, at time: Timestamp
    ) throws {
        var hours: [(user: SQLValue, hour: SQLValue, endedAt: SQLValue)] = try old.rows(PastHourSQL.gone).map { row in
            (
                .text(try row.requiredText("user_id")), .bytes(try row.requiredBytes("rolling_hour")),
                .number(try row.requiredNumber("ended_at"))
            )
        }
        hours += try old.rows(PastHourSQL.hours).map { row in
            (.text(try row.requiredText("user_id")), .bytes(try row.requiredBytes("rolling_hour")), .time(time))
        }
        for (user, hour, endedAt) in hours {
            if try new.execute(PastHourSQL.putHour, [user, hour]) == 1 {
                try new.execute(PastHourSQL.forget, [user])
            } else {
                try new.execute(PastHourSQL.put, [user, hour, endedAt])
            }
        }
        // Nobody waits for the rows of a database that is being filled.
        while try Self.old.removeSome(at: time, new) {}
    }
}
