import Foundation

/// A message before it is queued: what has happened, and to whom that may be told.
package struct NewWebhookMessage: Sendable, Hashable {
    /// Names it for ever.
    package let id: WebhookMessageID
    /// What has happened.
    package let event: EventName
    /// Whose endpoints get it, besides the operator's; nil for the operator's alone.
    package let workspaceID: WorkspaceID?
    /// Whom it is about: erased with the account.
    package let userID: UserID?
    /// When it happened.
    package let at: Timestamp
    /// What it says: JSON, an object.
    package let object: [UInt8]
    /// What it is known by to whoever sends it, so that it is queued once; nil where it is not sent again.
    package let source: String?
    /// The only endpoint that gets it; nil for all that chose the event.
    package let endpointID: WebhookEndpointID?
    /// One that does not get it, because it is about that one; nil for none.
    package let excludedID: WebhookEndpointID?

    /// Puts a message together.
    package init(
        id: WebhookMessageID, event: EventName, workspaceID: WorkspaceID?, userID: UserID? = nil, at: Timestamp,
        object: [UInt8], source: String? = nil, endpointID: WebhookEndpointID? = nil,
        excludedID: WebhookEndpointID? = nil
    ) {
        self.excludedID = excludedID
        self.id = id
        self.event = event
        self.workspaceID = workspaceID
        self.userID = userID
        self.at = at
        self.object = object
        self.source = source
        self.endpointID = endpointID
    }

    /// The most bytes of ``object``.
    package static let mostObjectBytes = 64 * 1_024

    /// What is sent, byte for byte, on every attempt.
    package var body: [UInt8] {
        let workspace = workspaceID.map { "\"\($0)\"" } ?? "null"
        // Ids, names of events and times hold nothing that JSON escapes.
        let head = """
            {"id":"\(id)","event":"\(event)","created":"\(at)","apiVersion":"\(Self.apiVersion)",\
            "workspaceId":\(workspace),"siteId":null,"data":{"object":
            """
        return Array(head.utf8) + object + Array("}}".utf8)
    }

    /// The version of the body's form.
    package static let apiVersion = "2026-05-01"
}

/// What Keybearer's own messages say, as JSON.
package enum WebhookObject {
    /// The members in the order of their names; those that are nil are `null`.
    package static func bytes(_ members: [String: Value?]) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // Texts and numbers always encode.
        return (try? encoder.encode(members)).map { Array($0) } ?? Array("{}".utf8)
    }

    /// A text or a number.
    package enum Value: Sendable, Encodable {
        case text(String)
        case number(Int)

        package func encode(to encoder: any Encoder) throws {
            var container = encoder.singleValueContainer()
            switch self {
            case .text(let text): try container.encode(text)
            case .number(let number): try container.encode(number)
            }
        }
    }
}

extension NewWebhookMessage {
    /// The message that tells of what was done to an account or a workspace; nil where none does.
    ///
    /// What a person does with the own key is the person's and the operator's business, never a workspace's.
    ///
    /// - Parameter isOfServiceAccount: whether the account that the event is about is the workspace's own.
    package init?(of event: AuditEvent, isOfServiceAccount: Bool) {
        guard let own = OwnEvent(event) else { return nil }
        let isOfPersonalKey = own.isOfKeys && !isOfServiceAccount
        let workspaceID = isOfPersonalKey ? nil : event.workspaceID
        var members: [String: WebhookObject.Value?] = ["actor": .text(event.actor.kind)]
        members["workspaceId"] = .some(workspaceID.map { .text($0.rawValue) })
        if own == .planChanged {
            members["planBefore"] = .some(event.change?.before.map { .text($0) })
            members["planAfter"] = .some(event.change?.after.map { .text($0) })
        } else {
            members["userId"] = .some(event.userID.map { .text($0.rawValue) })
        }
        if own.isOfKeys { members["accountKind"] = .text(isOfServiceAccount ? "service" : "person") }
        self.init(
            // One for each act, whatever is written again.
            id: WebhookMessageID(of: event.id), event: own.name, workspaceID: workspaceID, userID: event.userID,
            at: event.at, object: WebhookObject.bytes(members))
    }
}

extension NewWebhookMessage {
    /// The message that somebody is no longer a member of a workspace, because the account was deleted.
    ///
    /// It is not about the account, or it would be erased with it; the id names nobody any more.
    package init(leaving workspaceID: WorkspaceID, by deletion: AuditEvent, of userID: UserID) {
        self.init(
            id: WebhookMessageID(of: EventID(rawValue: "\(deletion.id) \(workspaceID)")),
            event: OwnEvent.memberRemoved.name, workspaceID: workspaceID, at: deletion.at,
            object: WebhookObject.bytes([
                "actor": .text(deletion.actor.kind), "userId": .text(userID.rawValue),
                "workspaceId": .text(workspaceID.rawValue),
            ]))
    }
}

extension AuditEvent.Actor {
    /// What kind of actor it is, which names nobody.
    fileprivate var kind: String {
        switch self {
        case .user: "user"
        case .operatorToken, .commandLine: "operator"
        case .system: "system"
        }
    }
}

/// What became of a message at one endpoint.
package struct WebhookDelivery: Sendable, Hashable {
    /// Where it stands.
    package enum State: String, Sendable, Hashable, CaseIterable {
        /// It waits for its first attempt or the next one.
        case waiting
        /// The endpoint has it.
        case delivered
        /// All attempts failed.
        case failed
        /// The workspace was suspended, or its plan did not include the API: it was not sent.
        case locked
        /// The endpoint was disabled: it was not sent.
        case disabled
    }

    /// Where to.
    package let endpointID: WebhookEndpointID
    /// Which message.
    package let messageID: WebhookMessageID
    /// What it tells of.
    package let event: EventName
    /// Its place among the messages of the workspace, or of an endpoint of the operator's.
    package let sequence: Int64
    /// When it was queued.
    package let createdAt: Timestamp
    /// Where it stands.
    package let state: State
    /// How many attempts there were.
    package let attempts: Int
    /// When the next one comes; nil where none does.
    package let dueAt: Timestamp?
    /// When it ended; nil while it waits.
    package let endedAt: Timestamp?

    /// Puts the parts together.
    package init(
        endpointID: WebhookEndpointID, messageID: WebhookMessageID, event: EventName, sequence: Int64,
        createdAt: Timestamp, state: State, attempts: Int, dueAt: Timestamp?, endedAt: Timestamp?
    ) {
        self.endpointID = endpointID
        self.messageID = messageID
        self.event = event
        self.sequence = sequence
        self.createdAt = createdAt
        self.state = state
        self.attempts = attempts
        self.dueAt = dueAt
        self.endedAt = endedAt
    }
}

/// An attempt as it is kept.
package struct DeliveryAttempt: Sendable, Hashable {
    /// Which one, from 1.
    package let number: Int
    /// When it began.
    package let at: Timestamp
    /// How long it took.
    package let duration: Duration
    /// The headers that it was sent with, besides those of HTTP itself.
    package let headers: [String: String]
    /// The answer's status; nil where there was none.
    package let status: Int?
    /// Why there was none.
    package let problem: WebhookReply.Problem?
    /// The first bytes of the answer's body; empty for a target that is not public.
    package let response: [UInt8]

    /// Puts the parts together.
    package init(
        number: Int, at: Timestamp, duration: Duration, headers: [String: String] = [:], status: Int?,
        problem: WebhookReply.Problem?, response: [UInt8]
    ) {
        self.headers = headers
        self.number = number
        self.at = at
        self.duration = duration
        self.status = status
        self.problem = problem
        self.response = response
    }
}
