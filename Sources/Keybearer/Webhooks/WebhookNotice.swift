/// What the holder of an endpoint gets to know of how it fares.
package struct WebhookNotice: Sendable, Hashable {
    /// What has happened.
    package let event: OwnEvent
    /// The endpoint as it was.
    package let endpoint: WebhookEndpoint
    /// The attempt behind which it is sent.
    package let attempt: AttemptRecord
    /// How far the failures have come; nil where they do not go on.
    package let notice: EndpointHealth.Notice?
    /// When it is sent.
    package let at: Timestamp

    /// The notice that an action asks for.
    package init(
        _ action: EndpointHealth.Action, of endpoint: WebhookEndpoint, attempt: AttemptRecord, at time: Timestamp
    ) {
        self.endpoint = endpoint
        self.attempt = attempt
        at = time
        switch action {
        case .notify(let notice): (event, self.notice) = (.endpointFailing, notice)
        case .disable: (event, notice) = (.endpointDisabled, nil)
        case .notifyOfRecovery: (event, notice) = (.endpointRecovered, nil)
        }
    }

    /// The mail to the Owners and Admins of the workspace; nil for an endpoint of the operator's, and where no mails are sent.
    package var mail: NewMail? {
        guard attempt.isMailed, let workspaceID = endpoint.workspaceID else { return nil }
        let kind: MailKind =
            switch event {
            case .endpointDisabled: .webhookDisabled
            case .endpointRecovered: .webhookRecovered
            default: .webhookFailing
            }
        let id = message.id.rawValue.filter { $0.isLetter || $0.isNumber }.dropFirst(3)
        let reply = attempt.reply
        let outcome = reply.status.map { "Status \($0)" } ?? reply.problem?.words ?? ""
        return NewMail(
            id: MailID(rawValue: MailID.prefix + id), kind, to: .managers(of: workspaceID), at: at,
            detail: [
                "\(workspaceID)/webhooks/\(endpoint.id)", attempt.delivery.messageID.rawValue,
                String(attempt.delivery.attempts + 1),
                attempt.delivery.event.rawValue, outcome, endpoint.name,
            ].joined(separator: "\n"))
    }

    /// What came back last, in one word or a number.
    package var outcome: String {
        attempt.reply.status.map { String($0) } ?? attempt.reply.problem?.rawValue ?? ""
    }

    /// The message to the operator's endpoints, and to the others of the workspace.
    package var message: NewWebhookMessage {
        let members: [String: WebhookObject.Value?] = [
            "webhookId": .text(endpoint.id.rawValue), "name": .text(endpoint.name),
            "workspaceId": endpoint.workspaceID.map { .text($0.rawValue) },
            "failingSince": endpoint.health.failingSince.map { .text($0.description) },
            "messageId": .text(attempt.delivery.messageID.rawValue), "attempt": .number(attempt.delivery.attempts + 1),
            "outcome": .text(outcome),
        ]
        let source = "\(event.rawValue) \(endpoint.id) \(attempt.delivery.messageID) \(attempt.delivery.attempts)"
        return NewWebhookMessage(
            id: WebhookMessageID(of: EventID(rawValue: source)), event: event.name, workspaceID: endpoint.workspaceID,
            at: at, object: WebhookObject.bytes(members), excludedID: endpoint.id)
    }
}
