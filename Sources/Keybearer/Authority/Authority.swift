/// Who asks for a change, from where, and what gives them the right to it.
///
/// A change carries its authority into the transaction that commits it, and the store looks at it again there, under
/// locks: a credential that was ended since the request was admitted changes nothing any more.
public struct Authority: Sendable, Hashable {
    /// What was presented, in the state in which it was accepted.
    public enum Credential: Sendable, Hashable {
        /// A Secret Key: this record at this version, of an active account.
        case key(KeyID, version: Int, of: UserID)
        /// A signed-in browser: this session, of an active account.
        ///
        /// `passwordVersion` is the version of the password that was verified with the request, where one was.
        case session(SessionID, of: UserID, passwordVersion: Int? = nil)
        /// A password that was verified at this version: a sign-in.
        case password(version: Int, of: UserID)
        /// An identity that a provider has just vouched for, which is the account's: a sign-in.
        case identity(Identity, of: UserID)
        /// A program of the operator.
        case operatorToken(OperatorTokenID)
        /// The operator of this machine, at the command line. Nothing can end it.
        case commandLine
        /// Nobody in particular: a sign-up.
        case anyone
    }

    /// What gives the right.
    public let credential: Credential
    /// Where the request came from; nil at the command line.
    public let address: IPAddress?

    /// Puts the parts together.
    public init(_ credential: Credential, from address: IPAddress? = nil) {
        self.credential = credential
        self.address = address
    }

    /// The operator of this machine, at the command line.
    public static let commandLine = Authority(.commandLine)

    /// Nobody: what a node does by itself, when its time has come.
    package static let itself = Authority(.anyone)

    /// Who the audit log names.
    package var actor: AuditEvent.Actor {
        switch credential {
        case .key(_, _, let userID), .session(_, let userID, _), .password(_, let userID), .identity(_, let userID):
            .user(userID)
        case .operatorToken(let id): .operatorToken(id)
        case .commandLine: .commandLine
        case .anyone: .system
        }
    }

    /// The account whose credential it is; nil for operators and for a sign-up.
    package var userID: UserID? {
        switch credential {
        case .key(_, _, let userID), .session(_, let userID, _), .password(_, let userID), .identity(_, let userID):
            userID
        case .operatorToken, .commandLine, .anyone: nil
        }
    }
}

extension KeybearerError {
    /// The credential that a change was asked for with has ended before the change was committed. Nothing was changed;
    /// the message is what a new request would get.
    package static func authorityEnded(_ message: String) -> KeybearerError {
        KeybearerError(.unauthorized, message, cause: AuthorityEnded.credential)
    }

    /// The session still lives, but the password verified for this change was replaced before the commit. Nothing was
    /// changed. Callers turn this into their own message.
    package static let passwordChanged = KeybearerError(
        .unauthorized, "The password is wrong.", cause: AuthorityEnded.password)

    /// The session still lives, but its last proof is too old for this at the commit. Nothing was changed.
    package static let oldSignIn = KeybearerError(
        .forbidden, "Confirm that it is you first.", cause: OldSignIn.beforeCommit)

    /// Whether the sign-in was too old for the change.
    package var isOldSignIn: Bool { cause is OldSignIn }

    /// Whether a credential ended while its request was being answered.
    package var isEndOfAuthority: Bool { cause is AuthorityEnded }

    /// Whether a password was changed while its request was being answered.
    var isPasswordChanged: Bool { cause as? AuthorityEnded == .password }
}

/// Marks errors of a session whose sign-in was too old.
private enum OldSignIn: String, Error, CustomStringConvertible {
    case beforeCommit = "the sign-in was not recent any more at the commit"

    var description: String { rawValue }
}

/// Marks errors of an authority that ended.
private enum AuthorityEnded: String, Error, CustomStringConvertible {
    case credential = "the authority ended before the commit"
    case password = "the password was changed before the commit"

    var description: String { rawValue }
}
