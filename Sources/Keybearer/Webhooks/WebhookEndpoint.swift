/// Names a webhook.
package struct WebhookEndpointID: PrefixedID {
    package static let prefix = "whe_"
    package let rawValue: String
    package init(rawValue: String) { self.rawValue = rawValue }
}

/// Where messages about events go: a URL that somebody registered.
package struct WebhookEndpoint: Sendable, Hashable {
    /// Whether it gets messages, and why not.
    package enum State: String, Sendable, Hashable, CaseIterable {
        /// It gets them.
        case enabled
        /// Somebody disabled it.
        case disabled
        /// Keybearer disabled it: for days nothing but failures came back.
        case failed
        /// Keybearer disabled it: it said that it is gone for good (410).
        case gone

        /// Whether messages are sent.
        package var isOn: Bool { self == .enabled }
    }

    /// Names it.
    package let id: WebhookEndpointID
    /// Whose it is; nil for one of the operator's.
    package let workspaceID: WorkspaceID?
    /// What people call it.
    package let name: String
    /// Where it is.
    package let url: WebhookURL
    /// What it gets.
    package let events: EventSelection
    /// Whether it gets anything.
    package let state: State
    /// Counts changes of what people set.
    package let version: Int
    /// When it was made.
    package let createdAt: Timestamp
    /// When people changed it last.
    package let updatedAt: Timestamp
    /// Until when messages are signed with the secret before the last rotation as well; nil where there is none.
    package let previousSecretEndsAt: Timestamp?
    /// What is known of it from its attempts.
    package let health: EndpointHealth

    /// The most that a workspace has, and the most of the operator's.
    package static let most = 20

    /// Puts the parts together.
    package init(
        id: WebhookEndpointID, workspaceID: WorkspaceID?, name: String, url: WebhookURL, events: EventSelection,
        state: State = .enabled, version: Int = 1, createdAt: Timestamp, updatedAt: Timestamp,
        previousSecretEndsAt: Timestamp? = nil, health: EndpointHealth = EndpointHealth()
    ) {
        self.id = id
        self.workspaceID = workspaceID
        self.name = name
        self.url = url
        self.events = events
        self.state = state
        self.version = version
        self.createdAt = createdAt
        self.updatedAt = updatedAt
        self.previousSecretEndsAt = previousSecretEndsAt
        self.health = health
    }
}

/// What an endpoint's messages are signed with: the current secret, and for a while the one that it replaced.
package struct WebhookSecrets: Sendable, Equatable {
    /// How long the old one counts where nobody says otherwise.
    package static let usualOverlap: Duration = .seconds(24 * 3_600)
    /// The longest that it can.
    package static let longestOverlap: Duration = .seconds(7 * 24 * 3_600)

    /// The one that its holder has now.
    package let current: WebhookSecret
    /// The one before; nil where there was none, or where it no longer counts.
    package let previous: WebhookSecret?

    /// Puts the parts together.
    package init(current: WebhookSecret, previous: WebhookSecret? = nil) {
        self.current = current
        self.previous = previous
    }

    /// What is sealed: both in one piece, so that what opens one opens the other.
    var plaintext: [UInt8] { [UInt8(current.bytes.count)] + current.bytes + (previous?.bytes ?? []) }

    /// Reads ``plaintext``; nil for what is none.
    init?(plaintext: [UInt8]) {
        guard let count = plaintext.first.map({ Int($0) }), plaintext.count > count,
            let current = WebhookSecret(stored: Array(plaintext[1...count]))
        else { return nil }
        self.current = current
        previous = WebhookSecret(stored: Array(plaintext.dropFirst(1 + count)))
    }

    /// What the seal of an endpoint's secrets is bound to.
    package static func binding(_ id: WebhookEndpointID) -> String { "webhook \(id)" }

    /// Those that sign now, the current one first.
    package func signing(until end: Timestamp?, at now: Timestamp) -> [WebhookSecret] {
        guard let previous, let end, now < end else { return [current] }
        return [current, previous]
    }
}
