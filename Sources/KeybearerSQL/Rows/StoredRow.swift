package import Keybearer

/// One row of a query's answer, whichever engine made it: the columns by their names.
///
/// Both adapters name the columns of their queries alike, so that rows become values in one place and a value that
/// this version does not understand is refused in one way. Nothing here knows SQL.
package protocol StoredRow {
    /// A column of text; nil where it is NULL.
    func text(_ column: String) -> String?
    /// A column of whole numbers; nil where it is NULL.
    func number(_ column: String) -> Int64?
    /// A column of yes and no; nil where it is NULL.
    func flag(_ column: String) -> Bool?
    /// A column of bytes; nil where it is NULL.
    func bytes(_ column: String) -> [UInt8]?
}

extension StoredRow {
    /// A column that must not be NULL.
    package func requiredText(_ column: String) throws -> String { try required(text(column), column) }

    /// A column that must not be NULL.
    package func requiredNumber(_ column: String) throws -> Int64 { try required(number(column), column) }

    /// A column that must not be NULL.
    package func requiredFlag(_ column: String) throws -> Bool { try required(flag(column), column) }

    /// A column that must not be NULL.
    package func requiredBytes(_ column: String) throws -> [UInt8] { try required(bytes(column), column) }

    /// A column of milliseconds since the Unix epoch.
    package func timestamp(_ column: String) throws -> Timestamp {
        Timestamp(millisecondsSinceEpoch: try requiredNumber(column))
    }

    private func required<Value>(_ value: Value?, _ column: String) throws -> Value {
        guard let value else { throw KeybearerError.unreadable(column) }
        return value
    }
}
