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

extension KeybearerError {
    /// A stored value that this version does not understand: better no answer than a wrong one.
    package static func unreadable(_ what: String) -> KeybearerError {
        KeybearerError(.internalError, "The store failed.", cause: UnreadableValue(what: what))
    }

    package static let noSuchAccount = KeybearerError(.notFound, "There is no such account.")
    package static let noSuchWorkspace = KeybearerError(.notFound, "There is no such workspace.")
    package static let noSuchPlan = KeybearerError(.notFound, "There is no such plan.")
    package static let noSuchMember = KeybearerError(.notFound, "There is no such member.")
    package static let noSuchOperatorToken = KeybearerError(.notFound, "There is no such operator token.")
    package static let emailTaken = KeybearerError(
        .conflict, "There is an account with this e-mail address already.")
    package static let lastOwner = KeybearerError(
        .conflict, "A workspace with members needs an Owner. Name another one first.")
    package static let masterKeysRotated = KeybearerError(
        .unavailable, "The master keys were rotated meanwhile. Nothing was changed; try again.")
    package static let masterKeyUnknown = KeybearerError(
        .unavailable,
        "The master key at hand is not one of this database's. Nothing was changed; run 'keybearer doctor'.")
    package static let stillSealed = KeybearerError(
        .conflict, "Keys are still sealed under a retired master key. Run 'keybearer master-key rotate' again.")
}

/// Names the column whose value could not be read.
private struct UnreadableValue: Error, CustomStringConvertible {
    let what: String
    var description: String { "unreadable value: \(what)" }
}
