/// The product's own page where an Owner moves a workspace to a plan: an absolute `https:` or `http:` URL.
public struct BillingURL: Sendable, Hashable, CustomStringConvertible {
    public let description: String

    /// Reads a URL.
    ///
    /// - Throws: `VALIDATION_FAILED` with the field `billingURL` for anything but an absolute `https:` or `http:` URL
    ///   without a user name: relative ones, other schemes, and characters that a URL must escape.
    public init(_ text: String) throws(KeybearerError) {
        if let problem = Self.problem(with: text) { throw KeybearerError.validation(["billingURL": problem]) }
        description = text
    }

    /// Reads what a database holds; nil for what must not become a link.
    ///
    /// Version 0.1 took every text and meant paths of this server too, such as `/billing`: these go on working.
    package init?(stored text: String) {
        let isPath = text.hasPrefix("/") && !text.hasPrefix("//") && Self.hasPlainCharacters(text)
        guard isPath || Self.problem(with: text) == nil else { return nil }
        description = text
    }

    /// What is wrong with a URL; nil when it may be used.
    private static func problem(with text: String) -> String? {
        if text.utf8.count > 2_048 { return "Use at most 2,048 characters." }
        guard hasPlainCharacters(text) else {
            return "Use no spaces, backslashes or control characters, and escape what is not ASCII."
        }
        let start = text.lowercased()
        guard start.hasPrefix("https://") || start.hasPrefix("http://"), let mark = text.firstRange(of: "://") else {
            return "Use an absolute URL that begins with https:// or http://."
        }
        let authority = text[mark.upperBound...].prefix { !"/?#".contains($0) }
        if authority.contains("@") { return "Use a URL without a user name." }
        guard Origin(scheme: .https, authority: String(authority)) != nil else { return "Use a URL with a valid host." }
        return nil
    }

    /// Whether every character may be in a URL as it is: visible ASCII but `"`, `<`, `>`, `\`, `^`, `` ` ``, `{`, `|`
    /// and `}`.
    private static func hasPlainCharacters(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && !"\"<>\\^`{|}".utf8.contains($0) }
    }
}
