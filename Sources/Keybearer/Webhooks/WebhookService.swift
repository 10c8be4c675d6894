/// What people and programs do with webhooks: those of a workspace, by the roles of ``Permissions``, and the operator's.
package final class WebhookService: Sendable {
    private let context: ServiceContext
    private let targets: (any WebhookTargets)?
    private let wake: @Sendable () -> Void

    /// - Parameters:
    ///   - targets: knows which addresses may be called; nil leaves that to each attempt.
    ///   - wake: called when something was queued.
    init(context: ServiceContext, targets: (any WebhookTargets)?, wake: @escaping @Sendable () -> Void) {
        self.context = context
        self.targets = targets
        self.wake = wake
    }

    /// What somebody wants of an endpoint. What is nil stays as it is.
    package struct Input: Sendable {
        package var name: String?
        package var url: String?
        package var events: [String]?
        package var isEnabled: Bool?

        /// Wants nothing yet.
        package init(name: String? = nil, url: String? = nil, events: [String]? = nil, isEnabled: Bool? = nil) {
            self.name = name
            self.url = url
            self.events = events
            self.isEnabled = isEnabled
        }
    }

    /// Those of a workspace, or the operator's; oldest first.
    package func list(of workspaceID: WorkspaceID?) async throws -> [WebhookEndpoint] {
        try await context.store.webhookEndpoints(of: workspaceID)
    }

    /// One of a workspace, or of the operator's.
    ///
    /// - Throws: `NOT_FOUND`, also for one of another workspace.
    package func find(_ id: WebhookEndpointID, in workspaceID: WorkspaceID?) async throws -> WebhookEndpoint {
        try await stored(id, in: workspaceID).endpoint
    }

    /// One that an operator's program names, whosever it is.
    ///
    /// - Throws: `NOT_FOUND`.
    package func find(_ id: WebhookEndpointID) async throws -> WebhookEndpoint {
        guard let found = try await context.store.webhookEndpoint(id) else { throw KeybearerError.noSuchWebhook }
        return found.endpoint
    }

    private func stored(
        _ id: WebhookEndpointID, in workspaceID: WorkspaceID?
    ) async throws -> (endpoint: WebhookEndpoint, secrets: SealedSecret) {
        guard let found = try await context.store.webhookEndpoint(id), found.endpoint.workspaceID == workspaceID else {
            throw KeybearerError.noSuchWebhook
        }
        return found
    }

    /// Makes one. The secret is in this answer and nowhere else.
    ///
    /// - Throws: `VALIDATION_FAILED` with the fields `name`, `url`, `events`; `CONFLICT` for one too many; `FORBIDDEN`.
    package func create(
        _ input: Input, in workspaceID: WorkspaceID?, request: IdempotentRequest? = nil, by authority: Authority
    ) async throws -> (endpoint: WebhookEndpoint, secret: WebhookSecret) {
        let accepted = try await accepted(input)
        guard let name = accepted.name, let url = accepted.url, let events = accepted.events else {
            throw KeybearerError(.internalError, "A webhook could not be read.")
        }
        let now = context.clocks.wall()
        let endpoint = WebhookEndpoint(
            id: .random(from: context.random), workspaceID: workspaceID, name: name, url: url, events: events,
            createdAt: now, updatedAt: now)
        let secret = WebhookSecret.random(from: context.random)
        try await context.store.addWebhookEndpoint(
            endpoint, secrets: try seal(WebhookSecrets(current: secret), of: endpoint.id), request: request,
            by: authority, needs: requirement(.manageWebhooks, in: workspaceID, by: authority),
            audit: event(.webhookCreated, endpoint.id, in: workspaceID, by: authority))
        return (endpoint, secret)
    }

    /// Changes one; enabling it forgets what was known of its failures.
    ///
    /// - Throws: as ``create(_:in:request:by:)``; `NOT_FOUND`; `CONFLICT` for another version.
    package func update(
        _ id: WebhookEndpointID, in workspaceID: WorkspaceID?, _ input: Input, version: Int? = nil,
        by authority: Authority
    ) async throws -> WebhookEndpoint {
        // What was chosen before may stay, also where it has left the catalogue.
        let chosen = input.events == nil ? .all : try await stored(id, in: workspaceID).endpoint.events
        var update = try await accepted(input, instead: chosen).update(of: id)
        update.version = version
        // What stops messages is allowed while the plan does not include the API.
        let onlyStops = input.isEnabled == false && input.name == nil && input.url == nil && input.events == nil
        let changed = try await context.store.updateWebhookEndpoint(
            update, of: workspaceID, by: authority,
            needs: requirement(onlyStops ? .stopWebhooks : .manageWebhooks, in: workspaceID, by: authority),
            audit: event(.webhookChanged, id, in: workspaceID, by: authority))
        wake()
        return changed
    }

    /// Gives one another secret. The old one signs as well until the overlap is over.
    ///
    /// - Parameter overlap: at most ``WebhookSecrets/longestOverlap``; zero ends the old secret immediately.
    /// - Throws: `NOT_FOUND`; `CONFLICT` where it was changed meanwhile; `FORBIDDEN`.
    package func rotate(
        _ id: WebhookEndpointID, in workspaceID: WorkspaceID?, overlap: Duration, version: Int? = nil,
        request: IdempotentRequest? = nil, by authority: Authority
    ) async throws -> (endpoint: WebhookEndpoint, secret: WebhookSecret) {
        let found = try await stored(id, in: workspaceID)
        let secret = WebhookSecret.random(from: context.random)
        let hasOverlap = overlap > .zero
        let secrets = WebhookSecrets(
            current: secret, previous: hasOverlap ? try open(found.secrets, of: id).current : nil)
        // What was read here is what is replaced: of two rotations at the same time, one is refused. A request that came
        // before is known by its key, whatever the version is since.
        let isStale = version != nil && version != found.endpoint.version
        if isStale, request == nil { throw KeybearerError.staleVersion }
        var update = WebhookEndpointUpdate(id: id, version: isStale ? version : found.endpoint.version)
        let end = context.clocks.wall().advanced(by: min(overlap, WebhookSecrets.longestOverlap))
        update.secrets = (try seal(secrets, of: id), hasOverlap ? end : nil)
        update.request = request
        let changed = try await context.store.updateWebhookEndpoint(
            update, of: workspaceID, by: authority,
            needs: requirement(.manageWebhooks, in: workspaceID, by: authority),
            audit: event(.webhookSecretRotated, id, in: workspaceID, by: authority))
        return (changed, secret)
    }

    /// Deletes one; what waits for it is not sent.
    ///
    /// - Throws: `NOT_FOUND`; `CONFLICT` for another version; `FORBIDDEN`.
    package func delete(
        _ id: WebhookEndpointID, in workspaceID: WorkspaceID?, version: Int? = nil, by authority: Authority
    ) async throws {
        try await context.store.deleteWebhookEndpoint(
            id, of: workspaceID, version: version, by: authority,
            needs: requirement(.stopWebhooks, in: workspaceID, by: authority),
            audit: event(.webhookDeleted, id, in: workspaceID, by: authority))
    }

    /// Sends a message to one endpoint that shows whether it works.
    ///
    /// - Throws: `NOT_FOUND`; `CONFLICT` where it is disabled; `FORBIDDEN`.
    package func test(
        _ id: WebhookEndpointID, in workspaceID: WorkspaceID?, by authority: Authority
    ) async throws -> WebhookMessageID {
        let now = context.clocks.wall()
        let message = NewWebhookMessage(
            id: .random(from: context.random, at: now), event: OwnEvent.test.name, workspaceID: workspaceID,
            at: now, object: WebhookObject.bytes(["webhookId": .text(id.rawValue)]), endpointID: id)
        try await context.store.sendTest(
            message, to: id, of: workspaceID, by: authority,
            needs: requirement(.manageWebhooks, in: workspaceID, by: authority),
            audit: event(.webhookTested, id, in: workspaceID, by: authority))
        wake()
        return message.id
    }

    /// What became of an endpoint's messages, the newest first.
    ///
    /// - Throws: `NOT_FOUND`.
    package func deliveries(
        _ filter: DeliveryFilter, in workspaceID: WorkspaceID?
    ) async throws -> [WebhookDelivery] {
        _ = try await find(filter.endpointID, in: workspaceID)
        return try await context.store.webhookDeliveries(filter)
    }

    /// One of them, with the message's bytes and the attempts.
    ///
    /// - Throws: `NOT_FOUND`.
    package func delivery(
        _ messageID: WebhookMessageID, at id: WebhookEndpointID, in workspaceID: WorkspaceID?
    ) async throws -> (delivery: WebhookDelivery, body: [UInt8], attempts: [DeliveryAttempt]) {
        _ = try await find(id, in: workspaceID)
        guard let found = try await context.store.webhookDelivery(messageID, at: id) else {
            throw KeybearerError.noSuchDelivery
        }
        return found
    }

    /// Sends deliveries again, from the beginning of the schedule.
    ///
    /// - Returns: how many there are, at most ``WebhookResend/most``.
    /// - Throws: `NOT_FOUND`; `CONFLICT` where the endpoint is disabled; `FORBIDDEN`.
    package func resend(
        _ resend: WebhookResend, in workspaceID: WorkspaceID?, by authority: Authority
    ) async throws -> Int {
        let count = try await context.store.resendWebhookDeliveries(
            resend, of: workspaceID, by: authority,
            needs: requirement(.manageWebhooks, in: workspaceID, by: authority),
            audit: event(.webhookResent, resend.endpointID, in: workspaceID, by: authority),
            now: context.clocks.wall())
        wake()
        return count
    }

    // MARK: - Parts

    private func requirement(_ action: Action, in workspaceID: WorkspaceID?, by authority: Authority) -> Requirement? {
        guard authority.userID != nil, let workspaceID else { return nil }
        return Requirement(action, in: workspaceID)
    }

    private func event(
        _ action: AuditEvent.Action, _ id: WebhookEndpointID, in workspaceID: WorkspaceID?, by authority: Authority
    ) -> AuditEvent {
        context.event(action, by: authority, workspace: workspaceID, detail: id.rawValue)
    }

    private func seal(_ secrets: WebhookSecrets, of id: WebhookEndpointID) throws -> SealedSecret {
        try context.vault.current.seal(secrets.plaintext, boundTo: WebhookSecrets.binding(id))
    }

    private func open(_ sealed: SealedSecret, of id: WebhookEndpointID) throws -> WebhookSecrets {
        let plaintext = try context.vault.current.open(sealed, boundTo: WebhookSecrets.binding(id))
        guard let secrets = WebhookSecrets(plaintext: plaintext) else {
            throw KeybearerError(.internalError, "A secret could not be opened.")
        }
        return secrets
    }

    /// What was accepted of an input.
    private struct Accepted {
        var name: String?
        var url: WebhookURL?
        var events: EventSelection?
        var isEnabled: Bool?

        func update(of id: WebhookEndpointID) -> WebhookEndpointUpdate {
            var update = WebhookEndpointUpdate(id: id)
            update.name = name
            update.url = url
            update.events = events
            update.isEnabled = isEnabled
            return update
        }
    }

    /// - Parameter old: what an endpoint has so far; nil for a new one.
    private func accepted(_ input: Input, instead old: EventSelection? = nil) async throws -> Accepted {
        let isNew = old == nil
        var (accepted, problems) = (Accepted(), [String: String]())
        if let name = input.name.map(NameRules.normalised) ?? (isNew ? "" : nil) {
            problems["name"] = NameRules.problem(with: name)
            accepted.name = name
        }
        if let text = input.url ?? (isNew ? "" : nil) {
            do {
                accepted.url = try WebhookURL(parsing: text)
            } catch {
                problems["url"] = "\(error.description.capitalisedSentence)."
            }
        }
        if let events = input.events ?? (isNew ? [] : nil) {
            do {
                accepted.events = try EventSelection(parsing: events)
            } catch {
                problems["events"] = error.description
            }
        }
        accepted.isEnabled = input.isEnabled
        if let events = accepted.events, let unknown = try await unknown(events, instead: old) {
            problems["events"] = "There is no event \"\(unknown)\"."
        }
        // A name is resolved for what is right in all else: whoever sends nonsense asks no name server.
        if problems.isEmpty, let url = accepted.url { problems["url"] = await targets?.problem(of: url) }
        if !problems.isEmpty { throw KeybearerError.validation(problems) }
        return accepted
    }

    /// A name that no event has; nil where there is none.
    private func unknown(_ selection: EventSelection, instead old: EventSelection?) async throws -> EventName? {
        guard case .names(let names) = selection else { return nil }
        let own = Set(OwnEvent.allCases.filter(\.isChosen).map(\.name))
        var others = names.subtracting(own)
        if case .names(let before) = old { others.subtract(before) }
        if others.isEmpty { return nil }
        return others.subtracting(try await context.store.eventTypes().map(\.name)).min()
    }
}

/// Marks errors of requests that were made before.
private struct RepeatedRequest: Error {}

extension KeybearerError {
    /// The same idempotency key has made a webhook.
    package static func webhookMadeBefore(_ id: String) -> KeybearerError {
        KeybearerError(
            .conflict, "This Idempotency-Key made the webhook \(id) before. Its secret is not shown again.",
            cause: RepeatedRequest())
    }

    /// Whether a request was made before.
    package var isRepeated: Bool { cause is RepeatedRequest }
}
