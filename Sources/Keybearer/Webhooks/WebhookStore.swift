/// What an endpoint's holder may change of it. What is nil stays as it is.
package struct WebhookEndpointUpdate: Sendable {
    /// Which endpoint.
    package let id: WebhookEndpointID
    /// The version that the caller has seen; nil for any.
    package var version: Int?
    /// What it is called.
    package var name: String?
    /// Where it is.
    package var url: WebhookURL?
    /// What it gets.
    package var events: EventSelection?
    /// Whether it gets anything.
    package var isEnabled: Bool?
    /// Its secrets, sealed, and until when the one before counts.
    package var secrets: (sealed: SealedSecret, previousEndsAt: Timestamp?)?
    /// The `Idempotency-Key` that came with it, if one did.
    package var request: IdempotentRequest?

    /// Changes nothing yet.
    package init(id: WebhookEndpointID, version: Int? = nil) {
        self.id = id
        self.version = version
    }

    /// The endpoint with these changes; the same where there are none.
    package func applied(to endpoint: WebhookEndpoint, at time: Timestamp) -> WebhookEndpoint {
        var state = endpoint.state
        var health = endpoint.health
        if isEnabled == true, !state.isOn {
            state = .enabled
            health.enabled()
        }
        if isEnabled == false { state = .disabled }
        // What was known of another place says nothing about this one.
        if let url, url != endpoint.url { health.enabled() }
        func record(version: Int, updatedAt: Timestamp) -> WebhookEndpoint {
            WebhookEndpoint(
                id: endpoint.id, workspaceID: endpoint.workspaceID, name: name ?? endpoint.name,
                url: url ?? endpoint.url, events: events ?? endpoint.events, state: state, version: version,
                createdAt: endpoint.createdAt, updatedAt: updatedAt,
                previousSecretEndsAt: secrets.map(\.previousEndsAt) ?? endpoint.previousSecretEndsAt, health: health)
        }
        let isSame = secrets == nil && record(version: endpoint.version, updatedAt: endpoint.updatedAt) == endpoint
        return isSame ? endpoint : record(version: endpoint.version + 1, updatedAt: time)
    }
}

/// Webhooks as the store keeps them.
package protocol WebhookStore: Sendable {
    /// Those of a workspace, or of the operator; oldest first.
    func webhookEndpoints(of workspaceID: WorkspaceID?) async throws -> [WebhookEndpoint]
    /// One with its secrets, sealed.
    func webhookEndpoint(_ id: WebhookEndpointID) async throws -> (endpoint: WebhookEndpoint, secrets: SealedSecret)?
    /// Adds one.
    ///
    /// - Throws: `CONFLICT` beyond ``WebhookEndpoint/most``, and where the request made one before; `NOT_FOUND` where the
    ///   workspace is gone.
    func addWebhookEndpoint(
        _ endpoint: WebhookEndpoint, secrets: SealedSecret, request: IdempotentRequest?, by authority: Authority,
        needs requirement: Requirement?, audit: AuditEvent
    ) async throws
    /// Changes one.
    ///
    /// - Returns: as it is then.
    /// - Throws: `NOT_FOUND`; `CONFLICT` for another version.
    func updateWebhookEndpoint(
        _ update: WebhookEndpointUpdate, of workspaceID: WorkspaceID?, by authority: Authority,
        needs requirement: Requirement?, audit: AuditEvent
    ) async throws -> WebhookEndpoint
    /// Removes one with its deliveries.
    ///
    /// - Throws: `NOT_FOUND`.
    func deleteWebhookEndpoint(
        _ id: WebhookEndpointID, of workspaceID: WorkspaceID?, version: Int?, by authority: Authority,
        needs requirement: Requirement?, audit: AuditEvent
    ) async throws
    /// Secrets that are sealed under another master key.
    func webhookSecrets(
        notSealedUnder id: MasterKeyID, limit: Int
    ) async throws -> [(id: WebhookEndpointID, sealed: SealedSecret)]
    /// Puts secrets in the place of the same ones sealed otherwise.
    ///
    /// - Parameter secrets: each with the one that was read: where that is no longer there, nothing changes.
    func resealWebhookSecrets(
        _ secrets: [(id: WebhookEndpointID, old: SealedSecret, new: SealedSecret)], by authority: Authority,
        audit: AuditEvent
    ) async throws

    /// The deliveries of an endpoint, the newest first.
    func webhookDeliveries(_ filter: DeliveryFilter) async throws -> [WebhookDelivery]
    /// One, with the message's bytes and its attempts, the first one first.
    func webhookDelivery(
        _ messageID: WebhookMessageID, at endpointID: WebhookEndpointID
    ) async throws -> (delivery: WebhookDelivery, body: [UInt8], attempts: [DeliveryAttempt])?
    /// Queues a message to one endpoint.
    ///
    /// - Throws: `NOT_FOUND`; `CONFLICT` where it is disabled.
    func sendTest(
        _ message: NewWebhookMessage, to id: WebhookEndpointID, of workspaceID: WorkspaceID?,
        by authority: Authority, needs requirement: Requirement?, audit: AuditEvent
    ) async throws
    /// Lets deliveries be tried again from the beginning of the schedule.
    ///
    /// - Returns: how many there were, at most `limit`.
    /// - Throws: `CONFLICT` where the endpoint is disabled.
    func resendWebhookDeliveries(
        _ resend: WebhookResend, of workspaceID: WorkspaceID?, by authority: Authority,
        needs requirement: Requirement?, audit: AuditEvent, now: Timestamp
    ) async throws -> Int
}

/// Which deliveries are listed.
package struct DeliveryFilter: Sendable {
    /// Of which endpoint.
    package let endpointID: WebhookEndpointID
    /// Of this event alone.
    package var event: EventName?
    /// Of those in this state alone.
    package var state: WebhookDelivery.State?
    /// Behind this one in the list.
    package var after: (createdAt: Timestamp, id: WebhookMessageID)?
    /// How many.
    package var limit: Int

    /// All of an endpoint.
    package init(endpointID: WebhookEndpointID, limit: Int) {
        self.endpointID = endpointID
        self.limit = limit
    }
}

/// What is sent again.
package struct WebhookResend: Sendable, Hashable {
    /// Which deliveries.
    package enum Which: Sendable, Hashable {
        /// This one, whatever became of it.
        case one(WebhookMessageID)
        /// Those that were queued from one time until before another and that the endpoint does not have.
        case missed(since: Timestamp, until: Timestamp)
    }

    /// To which endpoint.
    package let endpointID: WebhookEndpointID
    /// Which deliveries.
    package let which: Which

    /// The most in one request.
    package static let most = 10_000

    /// Puts the parts together.
    package init(_ which: Which, to endpointID: WebhookEndpointID) {
        self.endpointID = endpointID
        self.which = which
    }
}

extension KeybearerError {
    /// The webhook is not there, or belongs to another workspace: nothing tells which.
    package static let noSuchWebhook = KeybearerError(.notFound, "There is no such webhook.")

    /// No such message was queued for the webhook, or it is no longer kept.
    package static let noSuchDelivery = KeybearerError(
        .notFound, "There is no such delivery, or it is no longer kept.")

    /// Nothing is sent to a webhook that is disabled.
    package static let webhookDisabled = KeybearerError(.conflict, "The webhook is disabled. Enable it first.")
}
