/// A password as a person typed it. Prints as nothing but its kind.
public struct Password: Sendable, CustomStringConvertible, CustomReflectable {
    let characters: String

    /// Wraps what was typed, at most 1,024 bytes of it being meaningful; the rules apply where one is chosen.
    public init(_ characters: String) {
        self.characters = characters
    }

    /// Whether it is short enough to be anybody's.
    var isWithinLimit: Bool { characters.utf8.count <= 1_024 }

    /// The part that is hashed when the password is too long to be anyone's.
    var cut: Password {
        // By bytes: one character can be made of any number of them.
        isWithinLimit ? self : Password(String(decoding: characters.utf8.prefix(1_024), as: UTF8.self))
    }

    public var description: String { "password" }
    public var customMirror: Mirror { Mirror(self, children: []) }

    /// What is wrong with it as a new password; nil when it may be chosen.
    ///
    /// At least 8 characters, at most 1,024 bytes, none of the common ones, not the account's own address or name.
    /// No composition rules: they make passwords worse.
    package func problem(email: String, name: String) -> String? {
        if characters.count < 8 { return "Use at least 8 characters." }
        if !isWithinLimit { return "Use at most 1,024 bytes." }
        let folded = characters.lowercased()
        if CommonPasswords.contains(folded) { return "This password is among the most common ones. Choose another." }
        let own = [email.lowercased(), name.lowercased(), String(email.lowercased().prefix { $0 != "@" })]
        if own.contains(folded) { return "Do not use your name or address as the password." }
        return nil
    }
}
