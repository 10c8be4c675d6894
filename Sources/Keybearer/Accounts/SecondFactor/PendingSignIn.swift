import Crypto

/// A person who has given the password and not the code yet. It opens nothing.
package struct PendingSignIn: Sendable, Hashable {
    /// How long it waits for the code.
    package static let life: Duration = .seconds(300)
    /// How many codes may be tried.
    package static let mostAttempts = 5
    /// How many an account has at most: one more ends the oldest.
    package static let mostPerAccount = 10

    /// Whose password it was.
    package let userID: UserID
    /// The password's version.
    package let passwordVersion: Int
    /// When it was given.
    package let createdAt: Timestamp

    /// Puts it together.
    package init(userID: UserID, passwordVersion: Int, createdAt: Timestamp) {
        self.userID = userID
        self.passwordVersion = passwordVersion
        self.createdAt = createdAt
    }

    func isAlive(at now: Timestamp) -> Bool {
        let age = createdAt.duration(to: now)
        return age < Self.life && age >= .zero - SessionPolicy.clockTolerance
    }
}

/// The secret in the cookie of somebody who has given the password and not the code yet. Prints as nothing but its kind.
public struct PendingSignInToken: Sendable, Equatable, CustomStringConvertible, CustomReflectable {
    /// The characters, for the cookie alone.
    public let characters: String

    init(characters: String) {
        self.characters = characters
    }

    /// Accepts a cookie's value; nil when it cannot be a token.
    public init?(parsing text: some StringProtocol) {
        guard TokenKind.pendingSignIn.hasFormat(text) else { return nil }
        characters = String(text)
    }

    /// What the store knows it by.
    var digest: [UInt8] { Array(SHA256.hash(data: Array(characters.utf8))) }

    public var description: String { "pending sign-in" }
    public var customMirror: Mirror { Mirror(self, children: []) }
}
