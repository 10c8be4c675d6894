package import Keybearer

/// A webhook.
package struct WebhookJSON: JSONNoun {
    let id: String
    /// Null for one of the operator's.
    let workspaceId: Nullable<WorkspaceID>
    let name: String
    let url: String
    /// `*` alone for all events.
    let events: [String]
    /// `enabled`; or `disabled` by somebody, `failed` for days, `gone` by its own word (410).
    let state: String
    /// Since when nothing has arrived there; null while it works.
    let failingSince: Nullable<Timestamp>
    /// Until when the secret before the last rotation signs as well; null where there is none.
    let previousSecretEndsAt: Nullable<Timestamp>
    let createdAt: Timestamp
    let updatedAt: Timestamp
    /// For `If-Match`.
    let version: Int
    /// What the messages are signed with: only in the answer that made it.
    let secret: String?

    package init(_ endpoint: WebhookEndpoint, secret: WebhookSecret? = nil) {
        (id, workspaceId) = (endpoint.id.rawValue, Nullable(endpoint.workspaceID))
        (name, url, events) = (endpoint.name, endpoint.url.text, endpoint.events.texts)
        (state, failingSince) = (endpoint.state.rawValue, Nullable(endpoint.health.failingSince))
        previousSecretEndsAt = Nullable(endpoint.previousSecretEndsAt)
        (createdAt, updatedAt, version) = (endpoint.createdAt, endpoint.updatedAt, endpoint.version)
        self.secret = secret?.text
    }

    package static let noun = "Webhook"
    package static let sample = WebhookJSON(
        id: "whe_a1", workspaceId: Nullable(WorkspaceID(rawValue: "ws_a1")), name: "Orders",
        url: "https://example.com/hooks", events: ["member.added"], state: "enabled", failingSince: Nullable(nil),
        previousSecretEndsAt: Nullable(nil), createdAt: Timestamp(millisecondsSinceEpoch: 0),
        updatedAt: Timestamp(millisecondsSinceEpoch: 0), version: 1, secret: nil)

    private init(
        id: String, workspaceId: Nullable<WorkspaceID>, name: String, url: String, events: [String], state: String,
        failingSince: Nullable<Timestamp>, previousSecretEndsAt: Nullable<Timestamp>, createdAt: Timestamp,
        updatedAt: Timestamp, version: Int, secret: String?
    ) {
        (self.id, self.workspaceId, self.name, self.url) = (id, workspaceId, name, url)
        (self.events, self.state, self.failingSince) = (events, state, failingSince)
        (self.previousSecretEndsAt, self.createdAt, self.updatedAt) = (previousSecretEndsAt, createdAt, updatedAt)
        (self.version, self.secret) = (version, secret)
    }
}

/// What became of a message at a webhook.
package struct DeliveryJSON: JSONNoun {
    /// The message's id: the same on every attempt.
    let id: String
    let event: String
    let sequence: Int64
    let createdAt: Timestamp
    /// `waiting`, `delivered`, `failed` behind the last attempt; `locked` or `disabled`: it was not sent.
    let state: String
    let attempts: Int
    /// Null where none comes.
    let nextAttemptAt: Nullable<Timestamp>
    /// Null while it waits.
    let endedAt: Nullable<Timestamp>
    /// The message as it is sent: only for a single delivery.
    let payload: String?
    /// Each attempt, the first one first: only for a single delivery.
    let attemptList: [DeliveryAttemptJSON]?

    package init(_ delivery: WebhookDelivery, body: [UInt8]? = nil, attempts: [DeliveryAttempt]? = nil) {
        (id, event, sequence) = (delivery.messageID.rawValue, delivery.event.rawValue, delivery.sequence)
        (createdAt, state, self.attempts) = (delivery.createdAt, delivery.state.rawValue, delivery.attempts)
        (nextAttemptAt, endedAt) = (Nullable(delivery.dueAt), Nullable(delivery.endedAt))
        payload = body.map { String(decoding: $0, as: UTF8.self) }
        attemptList = attempts?.map { DeliveryAttemptJSON($0) }
    }

    package static let noun = "WebhookDelivery"
    package static let renamed = ["attempts": "attemptCount", "attemptList": "attempts"]
    package static let sample = DeliveryJSON(
        WebhookDelivery(
            endpointID: WebhookEndpointID(rawValue: "whe_a1"),
            messageID: WebhookMessageID(rawValue: "evt_9b2f7c1e-5d3a-4f6b-8e21-0c4d7a9b3e5f"),
            event: OwnEvent.memberAdded.name, sequence: 1, createdAt: Timestamp(millisecondsSinceEpoch: 0),
            state: .delivered, attempts: 1, dueAt: nil, endedAt: Timestamp(millisecondsSinceEpoch: 0)))

    enum CodingKeys: String, CodingKey {
        case id, event, sequence, createdAt, state
        case attempts = "attemptCount"
        case nextAttemptAt, endedAt, payload
        case attemptList = "attempts"
    }
}

/// One attempt to deliver a message.
package struct DeliveryAttemptJSON: JSONNoun {
    let number: Int
    let at: Timestamp
    let durationMs: Int64
    /// The headers that it was sent with, besides those of HTTP itself.
    let request: [String: String]
    /// Null where nothing came back.
    let status: Nullable<Int>
    /// Why nothing came back; null where something did.
    let problem: Nullable<String>
    /// The first KiB of what came back; empty for a target that is not public.
    let response: String

    init(_ attempt: DeliveryAttempt) {
        (number, at, durationMs) = (attempt.number, attempt.at, attempt.duration.wholeMilliseconds)
        request = attempt.headers
        (status, problem) = (Nullable(attempt.status), Nullable(attempt.problem?.rawValue))
        response = String(decoding: attempt.response, as: UTF8.self)
    }

    package static let noun = "WebhookAttempt"
    package static let sample = DeliveryAttemptJSON(.sample)
}

extension DeliveryAttempt {
    fileprivate static let sample = DeliveryAttempt(
        number: 1, at: Timestamp(millisecondsSinceEpoch: 0), duration: .milliseconds(12), status: 200,
        problem: nil, response: Array("ok".utf8))
}

/// A message that was queued for one webhook.
package struct QueuedMessageJSON: JSONNoun {
    let id: String

    package static let noun = "QueuedMessage"
    package static let sample = QueuedMessageJSON(id: "evt_9b2f7c1e-5d3a-4f6b-8e21-0c4d7a9b3e5f")
}

/// How much is sent again.
package struct ReplayJSON: JSONNoun {
    let count: Int
    /// Whether more is left in the same span: ask again.
    let hasMore: Bool

    init(count: Int) {
        (self.count, hasMore) = (count, count == WebhookResend.most)
    }

    package static let noun = "Replay"
    package static let sample = ReplayJSON(count: 1)
}

/// A kind of event that webhooks can get.
package struct EventTypeJSON: JSONNoun {
    let name: String
    let group: String
    let description: String
    /// What a message says, as JSON; null for none.
    let example: Nullable<String>

    package init(_ type: EventType) {
        (name, group, description) = (type.name.rawValue, type.name.group, type.description)
        example = Nullable(type.example)
    }

    package init(_ own: OwnEvent) {
        (name, group, description, example) = (own.rawValue, own.name.group, own.summary, Nullable(nil))
    }

    package static let noun = "EventType"
    package static let sample = EventTypeJSON(.memberAdded)
}

/// What became of an event that the product published.
package struct PublishedEventJSON: JSONNoun {
    /// The product's id of it.
    let id: String
    /// The message's id.
    let messageId: String
    /// Whether it was queued before.
    let duplicate: Bool

    package static let noun = "PublishedEvent"
    package static let sample = PublishedEventJSON(
        id: "inv_1", messageId: "evt_9b2f7c1e-5d3a-4f6b-8e21-0c4d7a9b3e5f", duplicate: false)
}
