import Keybearer
import TestSupport
import Testing

/// Webhooks and messages for the tests of the queue.
struct WebhookSamples {
    let store: any Store
    let samples: Samples
    /// Every act is the operator's.
    static let now = Samples.start.advanced(by: .seconds(3_600))

    func endpoint(
        of workspaceID: WorkspaceID?, events: [String] = ["*"], url: String = "https://hooks.example.com/in"
    ) async throws -> WebhookEndpoint {
        let endpoint = WebhookEndpoint(
            id: .random(from: samples.random), workspaceID: workspaceID, name: "Hooks",
            url: try WebhookURL(parsing: url), events: try EventSelection(parsing: events), createdAt: Self.now,
            updatedAt: Self.now)
        try await store.addWebhookEndpoint(
            endpoint, secrets: sealed(), request: nil, by: .commandLine, needs: nil,
            audit: samples.event(.webhookCreated))
        return endpoint
    }

    func sealed() -> SealedSecret {
        SealedSecret(masterKeyID: MasterKeyID(rawValue: "mk_one"), box: samples.random.bytes(61))
    }

    func update(_ endpoint: WebhookEndpoint, isEnabled: Bool) async throws -> WebhookEndpoint {
        var update = WebhookEndpointUpdate(id: endpoint.id)
        update.isEnabled = isEnabled
        return try await store.updateWebhookEndpoint(
            update, of: endpoint.workspaceID, by: .commandLine, needs: nil, audit: samples.event(.webhookChanged))
    }

    func message(
        _ event: String, in workspaceID: WorkspaceID?, source: String? = nil, after seconds: Int64 = 0
    ) -> NewWebhookMessage {
        NewWebhookMessage(
            id: .random(from: samples.random, at: Self.now.advanced(by: .seconds(seconds))),
            event: EventName(rawValue: event), workspaceID: workspaceID, at: Self.now.advanced(by: .seconds(seconds)),
            object: Array(#"{"id":"in_1"}"#.utf8), source: source)
    }

    @discardableResult
    func publish(_ messages: NewWebhookMessage...) async throws -> [(id: WebhookMessageID, isNew: Bool)] {
        try await store.enqueue(messages, by: .commandLine, audit: samples.event(.eventsPublished))
    }

    func spread() async throws -> Int { try await store.spreadMessages(limit: 100, now: Self.now) }

    func deliveries(at endpoint: WebhookEndpoint) async throws -> [WebhookDelivery] {
        try await store.webhookDeliveries(DeliveryFilter(endpointID: endpoint.id, limit: 100))
    }

    /// The bytes of the newest message of an event at an endpoint.
    func newestBody(at endpoint: WebhookEndpoint, of event: String) async throws -> String {
        let newest = try #require(try await deliveries(at: endpoint).first { $0.event.rawValue == event })
        let found = try #require(try await store.webhookDelivery(newest.messageID, at: endpoint.id))
        return String(decoding: found.body, as: UTF8.self)
    }

    func claim(
        _ endpoint: WebhookEndpoint, _ count: Int = 10, at now: Timestamp = now
    ) async throws -> [ClaimedDelivery] {
        try await store.claimDeliveries(
            [(endpointID: endpoint.id, count: count)], claim: samples.random.bytes(16), now: now)
    }

    /// What came of an attempt.
    func record(
        _ delivery: ClaimedDelivery, status: Int?, retryAfter: Duration? = nil, wasHealthy: Bool = false,
        at now: Timestamp = now
    ) -> AttemptRecord {
        let reply =
            status.map { WebhookReply(status: $0, body: Array("answer".utf8), retryAfter: nil, address: nil) }
            ?? WebhookReply(.timedOut)
        return AttemptRecord(
            delivery: delivery, at: now, duration: .milliseconds(12), reply: reply, wasHealthy: wasHealthy,
            retryAfter: retryAfter)
    }
}
