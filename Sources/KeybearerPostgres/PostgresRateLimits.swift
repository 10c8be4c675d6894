package import Keybearer
import KeybearerSQL

extension PostgresEngine {
    /// How long a reclaim request is shown to nodes: many times their interval of looking.
    private static let reclaimMemory: Duration = .seconds(2)

    /// One transaction for all requests. It locks the accounts' windows, which makes read, compute and write one step,
    /// and in the order of their ids, so that two nodes never deadlock.
    package func reserve(_ requests: [QuotaRequest], now: Timestamp) async throws -> [Reservation] {
        if requests.isEmpty { return [] }
        let clock = clock
        return try await writeRaw { connection in
            let users = Set(requests.map(\.userID.rawValue)).sorted()
            if let reservations = try Self.reckon(requests, users: users, requiresAll: true, at: now, clock, connection)
            {
                return reservations
            }
            // In a transaction of its own: it waits for the accounts' rows, and whoever deletes an account waits for
            // its window.
            _ = try connection.roundTrip([Self.addMissingWindows(of: users)])
            guard
                let reservations = try Self.reckon(
                    requests, users: users, requiresAll: false, at: now, clock, connection)
            else { throw KeybearerError.unreadable("budgets") }
            return reservations
        }
    }

    /// Does what requests say in one transaction.
    ///
    /// - Parameters:
    ///   - users: whose they are, in the order of their ids.
    ///   - requiresAll: whether every account must have a window; else those that have none are granted nothing.
    /// - Returns: nil when a window is missing that is required. Nothing was changed then.
    private static func reckon(
        _ requests: [QuotaRequest], users: [String], requiresAll: Bool, at now: Timestamp,
        _ clock: PostgresStore.Clock,
        _ connection: PostgresConnection
    ) throws -> [Reservation]? {
        try connection.transaction { connection in
            var locked = try lockedWindows(connection.roundTrip([lockWindows(of: users)])[0].rows)
            if requiresAll && locked.windows.count < users.count { return (nil, []) }
            let stored = locked.windows
            let time = clock == .caller ? now : locked.time ?? now
            try locked.foldSharedReservations(at: time, connection)
            let reservations = requests.map { reserve($0, in: &locked, at: time) }
            // What merely aged is computed again next time: a look and a refusal write nothing.
            let changed = locked.windows.filter { isWorthWriting($0.value, was: stored[$0.key]) }
            return (reservations, changed.isEmpty ? [] : [putWindows(changed)])
        }.0
    }

    package func postReclaims(of userIDs: [UserID], now: Timestamp) async throws {
        let clock = clock
        try await writeRaw { connection in
            try connection.execute(
                """
                INSERT INTO budget_recalls (user_id, round, at)
                SELECT id, 1, \(Self.time("$2", clock)) FROM users WHERE id = ANY ($1) ORDER BY id
                ON CONFLICT (user_id) DO UPDATE SET round = budget_recalls.round + 1, at = excluded.at
                """,
                [.texts(userIDs.map(\.rawValue)), .number(now.millisecondsSinceEpoch)])
            Self.notifyNodes(connection)
        }
    }

    package func reclaims(now: Timestamp) async throws -> [ReclaimRequest] {
        let clock = clock
        return try await fence(.read) { connection in
            try connection.execute(
                "SELECT user_id, round FROM budget_recalls WHERE at > \(Self.time("$1", clock)) - $2",
                [.number(now.millisecondsSinceEpoch), .number(Self.reclaimMemory.wholeMilliseconds)]
            ).rows.map { row in
                ReclaimRequest(
                    userID: UserID(rawValue: try row.requiredText("user_id")), round: try row.requiredNumber("round"))
            }
        }
    }

    /// The time in a statement: the primary's clock, or the parameter that holds the caller's.
    private static func time(_ parameter: StaticString, _ clock: PostgresStore.Clock) -> String {
        switch clock {
        case .caller: "\(parameter)::bigint"
        // The parameter is named all the same, so that both statements take the same ones.
        case .database: "(extract(epoch FROM clock_timestamp()) * 1000)::bigint + 0 * \(parameter)::bigint"
        }
    }

    /// What a reservation is computed from.
    private struct LockedWindows {
        var windows: [String: RateLimitWindow] = [:]
        /// What counts for every account: shared reservations that a crash left open in a SQLite database which was
        /// moved here. PostgreSQL opens none. Their sum, in the bucket of the last: it frees late rather than early.
        var sharedReservations: [RateLimitWindow.Bucket] = []
        /// The primary's time; nil where no window was found.
        var time: Timestamp?

        /// Lets shared reservations of a clock that was ahead and has come back count from now on as if they were
        /// opened now, so that they free within 62 minutes.
        mutating func foldSharedReservations(at now: Timestamp, _ connection: PostgresConnection) throws {
            guard let last = sharedReservations.last?.minute else { return }
            let folded = RateLimitWindow.foldedMinute(last, at: now)
            guard folded != last else { return }
            try connection.execute(
                """
                UPDATE budget_allowances SET minute = $1
                WHERE id IN (SELECT id FROM budget_allowances WHERE minute > $1 ORDER BY id FOR UPDATE)
                """, [.number(folded)])
            sharedReservations = sharedReservations.map { RateLimitWindow.Bucket(minute: folded, count: $0.count) }
        }
    }

    private static func reserve(
        _ request: QuotaRequest, in locked: inout LockedWindows, at time: Timestamp
    ) -> Reservation {
        guard var window = locked.windows[request.userID.rawValue] else {
            return Reservation(granted: 0, minute: 0, charged: 0, resets: [])
        }
        let reservation = window.apply(request, now: time, sharedReservations: locked.sharedReservations)
        locked.windows[request.userID.rawValue] = window
        return reservation
    }

    /// Whether a window differs in more than its age.
    private static func isWorthWriting(_ window: RateLimitWindow, was stored: RateLimitWindow?) -> Bool {
        stored.map { window.isWorthWriting(over: $0) } ?? true
    }

    /// The windows of these accounts, locked. Accounts that never had one are left out.
    private static func lockWindows(of users: [String]) -> Statement {
        Statement(
            """
            SELECT user_id, rolling_hour, (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now,
                (SELECT max(minute) FROM budget_allowances) AS allowed_minute,
                (SELECT sum(count)::bigint FROM budget_allowances) AS allowed_count
            FROM budgets WHERE user_id = ANY ($1) ORDER BY user_id FOR UPDATE
            """, [.texts(users)])
    }

    private static func lockedWindows(_ rows: [PostgresRow]) throws -> LockedWindows {
        var locked = LockedWindows()
        for row in rows {
            guard let window = RateLimitWindow(storedForm: try row.requiredBytes("rolling_hour")) else {
                throw KeybearerError.unreadable("budgets.rolling_hour")
            }
            locked.windows[try row.requiredText("user_id")] = window
        }
        guard let last = rows.last else { return locked }
        locked.time = try last.timestamp("now")
        if let minute = last.number("allowed_minute"), let count = last.number("allowed_count") {
            locked.sharedReservations = [RateLimitWindow.Bucket(minute: minute, count: Int(count))]
        }
        return locked
    }

    private static func addMissingWindows(of users: [String]) -> Statement {
        Statement(
            """
            INSERT INTO budgets (user_id, rolling_hour)
            SELECT id, $2 FROM (SELECT id FROM users WHERE id = ANY ($1) ORDER BY id FOR KEY SHARE) AS known
            ON CONFLICT (user_id) DO NOTHING
            """, [.texts(users), .bytes(RateLimitWindow().storedForm)])
    }

    private static func putWindows(_ windows: [String: RateLimitWindow]) -> Statement {
        let sorted = windows.sorted { $0.key < $1.key }
        return Statement(
            """
            UPDATE budgets SET rolling_hour = new.hour
            FROM unnest($1::text[], $2::bytea[]) AS new (user_id, hour) WHERE budgets.user_id = new.user_id
            """,
            [.texts(sorted.map(\.key)), .byteArrays(sorted.map(\.value.storedForm))])
    }
}
