package import Keybearer
import Synchronization

/// The text of one statement, in the subset of SQL that both engines understand.
///
/// The subset: parameters `$1`, `$2`, …; `CAST(… AS BIGINT|TEXT)` where PostgreSQL cannot tell a parameter's type;
/// upserts; `RETURNING` on a single table; `CASE` sums; `NULLS FIRST`. No data-modifying `WITH`, no `::`, no `ANY`, no
/// `LIKE` on identifiers. `scripts/lint-sql` refuses what is outside it, and a test prepares every statement on both
/// engines. Values are parameters, never a part of the text.
package struct SQL: Sendable, Hashable {
    /// The text as PostgreSQL reads it.
    package let text: String
    /// The text as SQLite reads it. SQLite takes `$1` for a name and numbers names by their first appearance, so a
    /// parameter that stands out of order would get another's value; `?1` is a number.
    package let numbered: String
    /// Where an engine keeps what it has found out about the statement's columns.
    package let columns = ColumnIndexes()

    /// Wraps a constant text.
    package init(_ text: String) {
        self.text = text
        numbered = text.replacing("$", with: "?")
    }

    package static func == (left: SQL, right: SQL) -> Bool { left.text == right.text }
    package func hash(into hasher: inout Hasher) { hasher.combine(text) }
}

/// Where each column of a statement's rows is: found out once, for statements name their columns.
package final class ColumnIndexes: Sendable {
    private final class Indexes: Sendable {
        let byName: [String: Int]

        init(_ byName: [String: Int]) {
            self.byName = byName
        }
    }

    private let known = AtomicLazyReference<Indexes>()

    init() {}

    /// The indexes by name; of two columns with one name, the first.
    ///
    /// - Parameter names: asked when they are not known yet.
    package func indexes(_ names: () -> [String]) -> [String: Int] {
        if let found = known.load() { return found.byName }
        let pairs = names().enumerated().map { ($1, $0) }
        return known.storeIfNil(Indexes(Dictionary(pairs) { first, _ in first })).byName
    }
}

/// A parameter of a statement.
package enum SQLValue: Sendable, Hashable {
    case null
    case text(String)
    case number(Int64)
    case flag(Bool)
    case bytes([UInt8])

    /// A text that may be NULL.
    package static func optional(_ text: String?) -> SQLValue { text.map { .text($0) } ?? .null }

    /// A count.
    package static func number(_ number: Int) -> SQLValue { .number(Int64(number)) }

    /// An id.
    package static func id(_ id: some RawRepresentable<String>) -> SQLValue { .text(id.rawValue) }
}

/// A statement with the values of its parameters.
package struct SQLStatement: Sendable {
    package let sql: SQL
    package let parameters: [SQLValue]

    package init(_ sql: SQL, _ parameters: [SQLValue] = []) {
        self.sql = sql
        self.parameters = parameters
    }
}

extension SQLValue {
    /// A point in time, as milliseconds since the Unix epoch.
    package static func time(_ time: Timestamp) -> SQLValue { .number(time.millisecondsSinceEpoch) }
}

extension SQLConnection {
    /// The number that a `SELECT count(*) AS count` returns.
    func count(_ sql: SQL) throws -> Int { Int(try first(sql)?.requiredNumber("count") ?? 0) }
}
