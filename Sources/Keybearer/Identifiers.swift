/// An id with a prefix that says what it names, such as `usr_` or `ws_`.
///
/// Each kind is a type of its own, so that a workspace's id cannot be passed where a user's is meant.
public protocol PrefixedID: RawRepresentable<String>, Sendable, Hashable, Comparable, CustomStringConvertible {
    /// The characters before the random part, underscore included.
    static var prefix: String { get }
    /// Wraps an id that is known to be one, such as a store's.
    init(rawValue: String)
}

extension PrefixedID {
    /// Makes a new id: the prefix and 20 random base62 characters (119 bits).
    package static func random(from source: RandomSource) -> Self {
        Self(rawValue: prefix + String(decoding: source.base62(count: 20), as: UTF8.self))
    }

    /// Accepts text that a client sent; nil when it cannot be an id of this kind.
    public init?(parsing text: some StringProtocol) {
        let body = text.utf8.dropFirst(Self.prefix.utf8.count)
        guard text.hasPrefix(Self.prefix), !body.isEmpty, body.count <= 40, body.allSatisfy(Base62.contains) else {
            return nil
        }
        self.init(rawValue: String(text))
    }

    public var description: String { rawValue }

    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// Names a user account.
public struct UserID: PrefixedID {
    public static let prefix = "usr_"
    public let rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }
}

/// Names a workspace.
public struct WorkspaceID: PrefixedID {
    public static let prefix = "ws_"
    public let rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }
}

/// Names one key of an account; the next key has another id.
public struct KeyID: PrefixedID {
    public static let prefix = "key_"
    public let rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }
}

/// Names an audit event.
public struct EventID: PrefixedID {
    public static let prefix = "evt_"
    public let rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }
}

/// Names a session in lists and forms. It is not the session's secret.
public struct SessionID: PrefixedID {
    public static let prefix = "ses_"
    public let rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }
}

/// Names an operator token in lists. It is not the token's secret.
public struct OperatorTokenID: PrefixedID {
    public static let prefix = "opt_"
    public let rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }
}

/// Names a portal link. It is not the link's code.
public struct PortalLinkID: PrefixedID {
    public static let prefix = "ptl_"
    public let rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }
}

/// Names an invitation. It is not the invitation's code.
public struct InvitationID: PrefixedID {
    public static let prefix = "inv_"
    public let rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }
}

/// Names what an authenticator app shares with an account.
package struct SecondFactorID: PrefixedID {
    package static let prefix = "tfa_"
    package let rawValue: String
    package init(rawValue: String) { self.rawValue = rawValue }
}

/// Names a mail of the outbox, also towards its receiver.
package struct MailID: PrefixedID {
    package static let prefix = "mail_"
    package let rawValue: String
    package init(rawValue: String) { self.rawValue = rawValue }
}

/// Names one master key of the ring.
public struct MasterKeyID: PrefixedID {
    public static let prefix = "mk_"
    public let rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }
}

/// Names one running process for the revocation fence; random at every start.
package struct NodeID: PrefixedID {
    package static let prefix = "node_"
    package let rawValue: String
    package init(rawValue: String) { self.rawValue = rawValue }
}
