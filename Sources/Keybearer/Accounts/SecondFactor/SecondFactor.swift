/// What the authenticator app of an account shares with it, as the store has it.
package struct SecondFactor: Sendable, Hashable {
    /// Names it: an account that sets up another app has another one.
    package let id: SecondFactorID
    /// Whose it is.
    package let userID: UserID
    /// The secret, sealed.
    package let sealed: SealedSecret
    /// When it was set up.
    package let createdAt: Timestamp

    /// Puts it together.
    package init(id: SecondFactorID, userID: UserID, sealed: SealedSecret, createdAt: Timestamp) {
        self.id = id
        self.userID = userID
        self.sealed = sealed
        self.createdAt = createdAt
    }

    /// What the seal is bound to.
    static func binding(_ id: SecondFactorID, of userID: UserID) -> String { "second factor \(userID) \(id)" }
}

/// What somebody gave of a second factor. The transaction that relies on it uses it up.
package enum SecondFactorProof: Sendable, Hashable {
    /// A code of the app: of this factor, for this step.
    case code(SecondFactorID, step: Int64)
    /// A recovery code with this digest.
    case recoveryCode([UInt8])

    /// What the audit log says.
    var detail: String {
        switch self {
        case .code: "with a code"
        case .recoveryCode: "with a recovery code"
        }
    }
}

/// What a sign-in with two steps relies on. The transaction that starts the session uses both up.
package struct SignInProof: Sendable, Hashable {
    /// What was given of the second factor.
    package let factor: SecondFactorProof
    /// The pending sign-in that it ends, by its digest; nil for a session that is confirmed.
    package let pending: [UInt8]?

    /// Puts both together.
    package init(_ factor: SecondFactorProof, pending: [UInt8]? = nil) {
        self.factor = factor
        self.pending = pending
    }
}

extension KeybearerError {
    /// The code is not one of the account's, or was used before.
    package static let wrongCode = KeybearerError(
        .unauthorized, "The code is wrong, or it was used already.", cause: SecondFactorRefusal.wrongCode)
    /// The account has a second factor, and nothing was given of it.
    package static let codeNeeded = KeybearerError(
        .unauthorized, "Sign in again, with a code of your authenticator app.", cause: SecondFactorRefusal.codeNeeded)
    /// There is none to change.
    package static let noSecondFactor = KeybearerError(.conflict, "Two-step sign-in is off.")

    /// Whether a code was refused.
    package var isWrongCode: Bool { cause as? SecondFactorRefusal == .wrongCode }
}

private enum SecondFactorRefusal: String, Error, CustomStringConvertible {
    case wrongCode = "the code was refused"
    case codeNeeded = "a second factor is set up"

    var description: String { rawValue }
}
