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
    /// The indexes by name. Reading a key looks dozens of them up, so the hash is a cheap one: nobody but these
    /// statements chooses the names.
    package final class ByName: Sendable {
        private let names: [String]
        /// Indexes of names, -1 where none is: a power of two, at least twice as many as there are names.
        private let slots: [Int]

        init(_ names: [String]) {
            self.names = names
            var slots = Array(repeating: -1, count: 4)
            while slots.count < 2 * names.count { slots += slots }
            for (index, name) in names.enumerated() {
                var slot = Self.hash(name) & (slots.count - 1)
                while slots[slot] >= 0, names[slots[slot]] != name { slot = (slot + 1) & (slots.count - 1) }
                // Of two columns with one name, the first.
                if slots[slot] < 0 { slots[slot] = index }
            }
            self.slots = slots
        }

        /// The index of a column; nil where there is none of this name.
        package subscript(_ name: String) -> Int? {
            var slot = Self.hash(name) & (slots.count - 1)
            while slots[slot] >= 0 {
                if names[slots[slot]] == name { return slots[slot] }
                slot = (slot + 1) & (slots.count - 1)
            }
            return nil
        }

        /// Of the length and three of the bytes: names that share them are told apart by comparison.
        private static func hash(_ name: String) -> Int {
            var name = name
            return name.withUTF8 { bytes in
                guard let first = bytes.first, let last = bytes.last else { return 0 }
                let middle = bytes[bytes.count / 2]
                return bytes.count &* 31 ^ Int(first) &* 7 ^ Int(middle) &* 61 ^ Int(last) &* 3
            }
        }
    }

    private let known = AtomicLazyReference<ByName>()

    init() {}

    /// The indexes by name.
    ///
    /// - Parameter names: asked when they are not known yet.
    package func indexes(_ names: () -> [String]) -> ByName {
        known.load() ?? known.storeIfNil(ByName(names()))
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

    /// Bytes that may be NULL.
    package static func optional(_ bytes: [UInt8]?) -> SQLValue { bytes.map { .bytes($0) } ?? .null }

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

    /// A point in time that may be NULL.
    package static func optional(_ time: Timestamp?) -> SQLValue { time.map { .time($0) } ?? .null }
}

extension SQLConnection {
    /// The number that a `SELECT count(*) AS count` returns.
    func count(_ sql: SQL, _ parameters: [SQLValue] = []) throws -> Int {
        Int(try first(sql, parameters)?.requiredNumber("count") ?? 0)
    }
}
