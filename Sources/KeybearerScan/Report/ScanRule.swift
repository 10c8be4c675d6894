/// What is said of a kind of find, in every format.
package struct ScanRule: Sendable {
    package let id: String
    package let name: String
    package let description: String
    /// Whether it is a key without a doubt: then its level is `error`, and otherwise `warning`.
    package let isCertain: Bool

    /// The rule of a kind.
    package init(_ kind: KeyKind) {
        id = "keybearer-" + kind.rawValue
        switch kind {
        case .secretKey:
            (name, isCertain) = ("Secret Key", true)
            description = "A Secret Key of Keybearer: its checksum is right. Regenerate it."
        case .possibleKey:
            (name, isCertain) = ("possible key", false)
            description = "A text with the prefix of keys, and without a checksum. It may be a key that was imported."
        case .operatorToken:
            (name, isCertain) = ("possible operator token", false)
            description = "A text with the format of an operator token of Keybearer. Revoke it if it is one."
        }
    }
}
