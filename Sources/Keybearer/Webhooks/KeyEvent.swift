import Crypto

/// What a process saw of requests with a key and its holder is to know: one for each key, kind and hour, whichever nodes see
/// it.
package struct KeyEvent: Sendable, Hashable {
    /// What it saw.
    package enum Kind: Sendable, Hashable {
        /// A request was refused because the rate limit was used up.
        case rateLimited
        /// The key was used from a network that is new.
        case newAddress(KeySource)
    }

    /// What was seen.
    package let kind: Kind
    /// Whose key.
    package let userID: UserID
    /// Which key.
    package let keyID: KeyID
    /// When it was written.
    package let at: Timestamp

    /// Puts the parts together.
    package init(_ kind: Kind, userID: UserID, keyID: KeyID, at: Timestamp) {
        self.kind = kind
        self.userID = userID
        self.keyID = keyID
        self.at = at
    }

    private var event: OwnEvent {
        switch kind {
        case .rateLimited: .keyRateLimited
        case .newAddress: .keyNewAddress
        }
    }

    /// What is the same for all of a key, a kind and an hour.
    package var source: String { "\(event.rawValue) \(keyID) \(at.millisecondsSinceEpoch / 3_600_000)" }

    /// The message that says so.
    ///
    /// - Parameter workspaceID: the workspace whose service account it is; nil for a person's, of which the operator's endpoints
    ///   alone hear.
    package func message(in workspaceID: WorkspaceID?) -> NewWebhookMessage {
        var members: [String: WebhookObject.Value?] = [
            "userId": .text(userID.rawValue), "accountKind": .text(workspaceID == nil ? "person" : "service"),
            "workspaceId": workspaceID.map { .text($0.rawValue) },
        ]
        if case .newAddress(let seen) = kind {
            members["address"] = .text(seen.address.description)
            members["userAgent"] = .text(seen.userAgent)
        }
        return NewWebhookMessage(
            id: WebhookMessageID(of: EventID(rawValue: source)), event: event.name, workspaceID: workspaceID,
            userID: userID, at: at, object: WebhookObject.bytes(members), source: source)
    }

    /// The mail that says so; nil where another one does.
    package var mail: NewMail? {
        guard case .newAddress(let seen) = kind else { return nil }
        return NewMail(
            id: .oncePerHour(source), .keyNewAddress, to: .holder(userID), at: at, address: seen.address,
            userAgent: seen.userAgent.isEmpty ? nil : seen.userAgent)
    }
}

/// The keys of which a process has said in this hour that requests are refused: while a client goes on and on, nothing is
/// asked of the store for it.
struct LimitedKeys: Sendable {
    /// How many are remembered. Of what comes on top the store says whether it was queued before.
    static let most = 10_000

    private var sources: Set<String> = []

    /// What there is to say of counts.
    mutating func events(in counts: [UsageCount], at time: Timestamp) -> [KeyEvent] {
        var events: [KeyEvent] = []
        for count in counts where count.outcome == .rateLimited {
            let event = KeyEvent(.rateLimited, userID: count.userID, keyID: count.keyID, at: time)
            if sources.contains(event.source) { continue }
            if sources.count >= Self.most { sources = [] }
            sources.insert(event.source)
            events.append(event)
        }
        return events
    }
}

extension MailID {
    /// The id of a mail that is sent once, whoever adds it.
    ///
    /// - Parameter source: what it tells, and of which hour.
    static func oncePerHour(_ source: String) -> MailID {
        let digest = SHA256.hash(data: Array(source.utf8))
        return MailID(
            rawValue: prefix + digest.prefix(11).map { String(UInt16($0) + 256, radix: 16).dropFirst() }.joined())
    }
}
