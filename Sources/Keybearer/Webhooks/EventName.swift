/// Names a kind of event, such as `invoice.paid`: parts of lower-case letters, digits, `_` and `-`, with dots between them.
///
/// The part before the first dot groups events.
package struct EventName: RawRepresentable, Sendable, Hashable, Comparable, CustomStringConvertible {
    /// Its text.
    package let rawValue: String

    /// Wraps a name that was accepted before, such as a store's.
    package init(rawValue: String) { self.rawValue = rawValue }

    /// Accepts a text that somebody sent; nil when it cannot be a name.
    package init?(parsing text: some StringProtocol) {
        let parts = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard (1...Self.mostBytes).contains(text.utf8.count), parts.allSatisfy({ !$0.isEmpty }) else { return nil }
        let isAllowed = { (byte: UInt8) in
            (97...122).contains(byte) || (48...57).contains(byte) || byte == UInt8(ascii: "_")
                || byte == UInt8(ascii: "-")
        }
        guard parts.allSatisfy({ $0.allSatisfy(isAllowed) }) else { return nil }
        rawValue = String(text)
    }

    /// The most bytes of a name.
    package static let mostBytes = 100

    /// What to do about a text that cannot be a name.
    package static let rule =
        "Use 1 to 100 lower-case letters, digits, _ and -, in parts with dots between them, such as invoice.paid."

    /// The part before the first dot.
    package var group: String { String(rawValue.prefix { $0 != "." }) }

    /// Whether it is Keybearer's own to use: the product's events are called something else.
    package var isReserved: Bool { Self.reservedGroups.contains(group) }

    private static let reservedGroups: Set<String> = Set(OwnEvent.allCases.map(\.name.group))

    package static func < (left: EventName, right: EventName) -> Bool { left.rawValue < right.rawValue }

    package var description: String { rawValue }
}

/// Events of Keybearer's own.
package enum OwnEvent: String, Sendable, Hashable, CaseIterable {
    case keyRegenerated = "key.regenerated"
    case keyRevoked = "key.revoked"
    case keyRateLimited = "key.rate_limited"
    case keyNewAddress = "key.new_address"
    case planChanged = "plan.changed"
    case memberAdded = "member.added"
    case memberRemoved = "member.removed"
    case endpointFailing = "endpoint.failing"
    case endpointDisabled = "endpoint.disabled"
    case endpointRecovered = "endpoint.recovered"
    /// What "Send test event" sends, to one endpoint, whatever it has chosen.
    case test = "webhook.test"

    /// Its name.
    package var name: EventName { EventName(rawValue: rawValue) }

    /// What has happened, for people who choose events.
    package var summary: String {
        switch self {
        case .keyRegenerated: "A Secret Key was replaced by a new one."
        case .keyRevoked: "A Secret Key was ended by a program that held it."
        case .keyRateLimited: "Requests with a Secret Key are refused: its rate limit is used up."
        case .keyNewAddress: "A Secret Key is used from a network that is new."
        case .planChanged: "The workspace is on another plan."
        case .memberAdded: "Somebody became a member of the workspace."
        case .memberRemoved: "Somebody is no longer a member of the workspace."
        case .endpointFailing: "Messages to a webhook have failed for a while."
        case .endpointDisabled: "A webhook was disabled because messages to it failed."
        case .endpointRecovered: "A webhook that failed works again."
        case .test: "A message that shows whether a webhook works."
        }
    }

    /// Whether it tells of the key of an account.
    package var isOfKeys: Bool { name.group == "key" }

    /// Whether somebody can choose it.
    package var isChosen: Bool { self != .test }

    /// The event of which the audit log tells; nil where none is sent.
    package init?(_ event: AuditEvent) {
        switch event.action {
        case .keyRegenerated: self = .keyRegenerated
        case .keyRevoked: self = .keyRevoked
        case .planChanged: self = .planChanged
        case .memberAdded, .invitationAccepted: self = .memberAdded
        case .memberRemoved: self = .memberRemoved
        default: return nil
        }
    }
}

/// Which events an endpoint gets.
package enum EventSelection: Sendable, Hashable {
    /// All there are and will be.
    case all
    /// These.
    case names(Set<EventName>)

    /// The most names that can be chosen: with all of them at their longest, a form is within its limit.
    package static let mostNames = 100

    /// Whether an event is one of them.
    package func contains(_ name: EventName) -> Bool {
        switch self {
        case .all: true
        case .names(let names): names.contains(name)
        }
    }

    /// What a list and the store have: `*`, or the names in order.
    package var texts: [String] {
        switch self {
        case .all: ["*"]
        case .names(let names): names.sorted().map(\.rawValue)
        }
    }

    /// With spaces between the names.
    package var storedForm: String { texts.joined(separator: " ") }

    /// Reads ``storedForm``.
    package init(storedForm: String) {
        if storedForm == "*" {
            self = .all
        } else {
            self = .names(Set(storedForm.split(separator: " ").map { EventName(rawValue: String($0)) }))
        }
    }

    /// Reads what somebody chose: `*` alone, or names.
    ///
    /// - Throws: a sentence for whoever chose.
    package init(parsing texts: [String]) throws(Problem) {
        if texts == ["*"] {
            self = .all
            return
        }
        guard !texts.isEmpty else { throw Problem(description: "Choose at least one event.") }
        guard texts.count <= Self.mostNames else {
            throw Problem(description: "Choose at most \(Self.mostNames) events, or * for all of them.")
        }
        var names: Set<EventName> = []
        for text in texts {
            guard let name = EventName(parsing: text) else {
                throw Problem(description: "\"\(text.prefix(40))\" is no name of an event.")
            }
            names.insert(name)
        }
        self = .names(names)
    }

    /// Why a choice is none.
    package struct Problem: Error, Hashable, CustomStringConvertible {
        package let description: String
    }
}
