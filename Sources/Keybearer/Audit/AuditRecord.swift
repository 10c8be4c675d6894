/// An audit event as it is stored, with its place in the chain of seals.
///
/// Its members are what the columns hold, also where this version does not know an action or an actor: a seal covers
/// what is stored, not what it means.
package struct AuditRecord: Sendable, Hashable {
    /// The order in which the rows were written, which has gaps.
    package let sequence: Int64
    package let id: String
    /// Milliseconds since the Unix epoch.
    package let at: Int64
    package let actor: String
    package let action: String
    package let userID: String?
    package let workspaceID: String?
    package let address: String?
    package let detail: String?
    package let userAgent: String?
    package let requestID: String?
    package let via: String?
    package let before: String?
    package let after: String?
    /// Nil until it has one.
    package let position: Int64?
    /// Nil until it has a position.
    package let seal: AuditSeal?

    package init(
        sequence: Int64, id: String, at: Int64, actor: String, action: String, userID: String?, workspaceID: String?,
        address: String?, detail: String?, userAgent: String?, requestID: String?, via: String?, before: String?,
        after: String?, position: Int64?, seal: AuditSeal?
    ) {
        self.sequence = sequence
        self.id = id
        self.at = at
        self.actor = actor
        self.action = action
        self.userID = userID
        self.workspaceID = workspaceID
        self.address = address
        self.detail = detail
        self.userAgent = userAgent
        self.requestID = requestID
        self.via = via
        self.before = before
        self.after = after
        self.position = position
        self.seal = seal
    }

    /// Whether what tells who somebody is was erased behind the seal.
    package var isErased: Bool { seal.map { $0.salt == nil } ?? false }

    /// A detail that holds an address tells who somebody is: it is erased with the rest. See ``AuditStore``.
    package static func isPersonal(detail: String) -> Bool { detail.contains("@") }

    /// What is erased with an account's personal data, in one order.
    var personalMembers: [String?] {
        [address, userAgent, detail.flatMap { Self.isPersonal(detail: $0) ? $0 : nil }]
    }

    /// What stays, in one order.
    var plainMembers: [String?] {
        [
            id, String(at), actor, action, userID, workspaceID,
            detail.flatMap { Self.isPersonal(detail: $0) ? nil : $0 }, requestID, via, before, after,
        ]
    }
}

/// What proves that an audit event is the one that was sealed, at its place.
package struct AuditSeal: Sendable, Hashable {
    /// The master key whose audit subkey made it.
    package let keyID: MasterKeyID
    /// Random bytes without which nobody can try out what ``commitment`` commits to; nil when they were erased.
    package let salt: [UInt8]?
    /// HMAC-SHA-256, under the salt, of the members that are erased with an account.
    package let commitment: [UInt8]
    /// HMAC-SHA-256, under the audit subkey, of the seal before, the position, the commitment and all other members.
    package let code: [UInt8]

    package init(keyID: MasterKeyID, salt: [UInt8]?, commitment: [UInt8], code: [UInt8]) {
        self.keyID = keyID
        self.salt = salt
        self.commitment = commitment
        self.code = code
    }
}

/// How far the chain of seals goes.
package struct AuditChain: Sendable, Hashable {
    /// The last position that was given; 0 before the first.
    package let position: Int64
    /// The seal of the event there.
    package let code: [UInt8]?
    /// Behind which event the log begins, where older ones were removed.
    package let checkpoint: AuditCheckpoint?

    package init(position: Int64, code: [UInt8]?, checkpoint: AuditCheckpoint?) {
        self.position = position
        self.code = code
        self.checkpoint = checkpoint
    }
}

/// What is left of the events that were removed because of their age.
package struct AuditCheckpoint: Sendable, Hashable {
    /// The position of the last of them.
    package let position: Int64
    /// Its seal, on which the next one rests.
    package let code: [UInt8]
    /// When it was removed, in milliseconds since the Unix epoch.
    package let at: Int64
    /// The master key whose audit subkey signed this.
    package let keyID: MasterKeyID
    /// HMAC-SHA-256 of all that.
    package let signature: [UInt8]

    package init(position: Int64, code: [UInt8], at: Int64, keyID: MasterKeyID, signature: [UInt8]) {
        self.position = position
        self.code = code
        self.at = at
        self.keyID = keyID
        self.signature = signature
    }
}
