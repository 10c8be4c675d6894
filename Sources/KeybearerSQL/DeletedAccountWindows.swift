package import Keybearer

enum DeletedAccountWindowSQL {
    static let take = SQL("DELETE FROM budgets WHERE user_id = $1 RETURNING rolling_hour")
    /// The newest one: of several service accounts that were deleted, each leaves its own.
    static let inherit = SQL(
        """
        DELETE FROM past_hours
        WHERE user_id IN (SELECT user_id FROM past_hours WHERE heir = $1 ORDER BY ended_at DESC, user_id LIMIT 1)
        RETURNING rolling_hour
        """)
    static let put = SQL(
        """
        INSERT INTO past_hours (user_id, rolling_hour, ended_at) VALUES ($1, $2, $3)
        ON CONFLICT (user_id) DO UPDATE SET rolling_hour = excluded.rolling_hour, ended_at = excluded.ended_at
        """)
    static let find = SQL("SELECT rolling_hour, ended_at FROM past_hours WHERE user_id = $1")
    static let old = SQL("SELECT user_id FROM past_hours WHERE ended_at < $1 ORDER BY user_id LIMIT $2")
    static let remove = SQL("DELETE FROM past_hours WHERE user_id = $1")
    static let windows = SQL("SELECT user_id, rolling_hour FROM budgets ORDER BY user_id")
    static let gone = SQL("SELECT user_id, rolling_hour, ended_at FROM past_hours ORDER BY user_id")
    static let putWindow = SQL(
        """
        INSERT INTO budgets (user_id, rolling_hour) SELECT id, $2 FROM users WHERE id = $1
        ON CONFLICT (user_id) DO UPDATE SET rolling_hour = excluded.rolling_hour
        """)

    static let all = [take, inherit, put, find, old, remove, windows, gone, putWindow]
}

/// Rate limit windows of deleted accounts. When a restored backup brings an account back, its used requests still
/// count; and whoever makes the same account again gets no second hour.
package enum DeletedAccountWindows {
    /// A bucket counts for 61 minutes, and a reservation is charged to the last minute in which it may be used.
    private static let memory: Duration = .seconds(2 * 3_600)

    /// Takes the window of an account that is being deleted. It waits for a reservation that is under way.
    static func preserve(_ user: User, at time: Timestamp, _ connection: any SQLConnection) throws {
        if let row = try connection.first(DeletedAccountWindowSQL.take, [.id(user.id)]) {
            let window = try row.requiredBytes("rolling_hour")
            try connection.execute(
                CopiedTable.deletedAccountWindows.insert,
                [.id(user.id), .bytes(window), .time(time), .bytes(WindowHeir.digest(of: user))])
        }
    }

    /// Gives a new account the window of the deleted one whose place it takes.
    static func inherit(_ user: User, _ connection: any SQLConnection) throws {
        let digest = SQLValue.bytes(WindowHeir.digest(of: user))
        if let row = try connection.first(DeletedAccountWindowSQL.inherit, [digest]) {
            let window = try row.requiredBytes("rolling_hour")
            try connection.execute(DeletedAccountWindowSQL.putWindow, [.id(user.id), .bytes(window)])
        }
    }

    /// Those that count for nothing any more.
    static let old = OldRows(
        find: DeletedAccountWindowSQL.old, bounds: { [.time($0.advanced(by: .zero - memory))] },
        remove: DeletedAccountWindowSQL.remove,
        key: { [.text(try $0.requiredText("user_id"))] })

    /// Records what a node used of a shared reservation for an account that was deleted meanwhile.
    package static func record(
        _ request: QuotaRequest, now: Timestamp, _ connection: any SQLConnection
    ) throws {
        guard let used = request.unrecorded,
            let row = try connection.first(DeletedAccountWindowSQL.find, [.id(request.userID)]),
            var window = RateLimitWindow(storedForm: try row.requiredBytes("rolling_hour"))
        else { return }
        window.record(used.count, minute: used.minute)
        _ = window.look(now: now)
        try connection.execute(
            DeletedAccountWindowSQL.put,
            [.id(request.userID), .bytes(window.storedForm), .number(try row.requiredNumber("ended_at"))])
    }

    /// Copies recent rate limit windows into the database that replaces this one, for accounts in both, accounts
    /// deleted here, and accounts missing there.
    package static func carry(
        from old: any SQLConnection, to new: any SQLConnection, at time: Timestamp
    ) throws {
        let gone = try old.rows(DeletedAccountWindowSQL.gone)
        var windows: [(user: SQLValue, window: SQLValue, endedAt: SQLValue)] = try gone.map {
            row in
            (
                .text(try row.requiredText("user_id")), .bytes(try row.requiredBytes("rolling_hour")),
                .number(try row.requiredNumber("ended_at"))
            )
        }
        windows += try old.rows(DeletedAccountWindowSQL.windows).map { row in
            (.text(try row.requiredText("user_id")), .bytes(try row.requiredBytes("rolling_hour")), .time(time))
        }
        for (user, window, endedAt) in windows {
            if try new.execute(DeletedAccountWindowSQL.putWindow, [user, window]) == 1 {
                try new.execute(DeletedAccountWindowSQL.remove, [user])
            } else {
                try new.execute(DeletedAccountWindowSQL.put, [user, window, endedAt])
            }
        }
        // Nobody waits for the rows of a database that is being filled.
        while try Self.old.removeSome(at: time, new) {}
    }
}
