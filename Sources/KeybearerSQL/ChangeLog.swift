package import Keybearer

/// The change log as both engines read it. Its counter is each engine's own.
enum ChangeLogSQL {
    static let fromPosition = SQL(
        "SELECT number, mark, subject_kind, subject_id FROM changes WHERE number >= $1 ORDER BY number LIMIT $2")
    static let prune = SQL("DELETE FROM changes WHERE number <= $1")
    static let anyPlan = SQL("SELECT id FROM plans LIMIT 1")

    static let all = [fromPosition, prune, anyPlan]
}

/// What the engines do alike beside their own counters.
package enum ChangeLog {
    /// How many changes are kept at least, so that a node that fell behind can still catch up.
    private static let kept: Int64 = 10_000
    /// Older ones are removed this many at a time.
    private static let prunedAtOnce: Int64 = 1_000

    /// The changes after a position; nil when it is not part of this history.
    package static func changes(
        after position: ChangeLogPosition, limit: Int, _ connection: any SQLConnection
    ) throws -> [Change]? {
        let rows = try connection.rows(
            ChangeLogSQL.fromPosition, [.number(position.number), .number(min(max(0, limit), 100_000) + 1)])
        return try StoredValues.changes(after: position, limit: limit, of: rows)
    }

    /// Removes old changes, now and then.
    ///
    /// - Parameter count: how many numbers the transaction took, this one the last.
    package static func prune(behind number: Int64, taking count: Int = 1, _ connection: any SQLConnection) throws {
        guard number / prunedAtOnce != (number - Int64(count)) / prunedAtOnce else { return }
        try connection.execute(ChangeLogSQL.prune, [.number(number - kept)])
    }

    /// Throws when the tables cannot be read.
    package static func checkReadable(_ connection: any SQLConnection) throws {
        _ = try connection.first(ChangeLogSQL.anyPlan)
    }
}
