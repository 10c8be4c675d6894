import Keybearer

/// The operator API's webhooks: those of every workspace, and the operator's own.
struct OperatorWebhookHandlers: Sendable {
    let webhooks: WebhookService
    let writes: WriteService

    init(_ services: Services) { (webhooks, writes) = (services.webhooks, services.writes) }

    static let filters = [
        Endpoint.Parameter(
            name: "workspace", place: .query,
            description: "Those of this workspace; the operator's own where it is left out.",
            schema: WorkspaceID.referenceSchema)
    ]

    /// `GET /operator/v1/webhooks`
    @Sendable func list(_ request: OperatorRequest) async throws -> PlainList<WebhookJSON> {
        let query = try request.query(Self.filters)
        var id: WorkspaceID?
        if let text = query["workspace"] { id = try await workspace(text) }
        return PlainList(try await webhooks.list(of: id).map { WebhookJSON($0) })
    }

    private func workspace(_ text: String) async throws -> WorkspaceID {
        guard let reference = Reference<WorkspaceID>(text) else {
            throw KeybearerError(.badRequest, "workspace must be ws_… or ext:….")
        }
        return try await writes.existingID(reference)
    }

    /// `POST /operator/v1/webhooks`
    @Sendable func create(_ request: OperatorRequest) async throws -> Success<WebhookJSON> {
        var json = try request.input(WebhookInput.newOperatorMembers)
        let input = WebhookInput.endpoint(&json)
        let named = json.optionalText("workspace")
        var reference: Reference<WorkspaceID>?
        if let named {
            reference = Reference<WorkspaceID>(named)
            if reference == nil { json.report("workspace", "It must be ws_… or ext:….") }
        }
        try json.finish()
        var id: WorkspaceID?
        if let reference { id = try await writes.existingID(reference) }
        let (endpoint, secret) = try await webhooks.create(
            input, in: id, request: request.idempotent(), by: request.caller.authority)
        return Success(WebhookJSON(endpoint, secret: secret))
    }

    /// `GET /operator/v1/webhooks/{webhookID}`
    @Sendable func get(_ request: OperatorRequest) async throws -> Success<WebhookJSON> {
        Success(WebhookJSON(try await endpoint(request)))
    }

    private func endpoint(_ request: OperatorRequest) async throws -> WebhookEndpoint {
        try await webhooks.find(WebhookInput.endpointID(request.context))
    }

    /// `PATCH /operator/v1/webhooks/{webhookID}`
    @Sendable func patch(_ request: OperatorRequest) async throws -> Success<WebhookJSON> {
        var json = try request.input(WebhookInput.patchMembers)
        let input = WebhookInput.endpoint(&json)
        try json.finish()
        let found = try await endpoint(request)
        return Success(
            WebhookJSON(
                try await webhooks.update(
                    found.id, in: found.workspaceID, input, version: request.version(),
                    by: request.caller.authority)))
    }

    /// `DELETE /operator/v1/webhooks/{webhookID}`
    @Sendable func delete(_ request: OperatorRequest) async throws -> NoContent {
        try request.context.requireNoContent()
        let found = try await endpoint(request)
        try await webhooks.delete(
            found.id, in: found.workspaceID, version: request.version(), by: request.caller.authority)
        return NoContent()
    }

    /// `POST /operator/v1/webhooks/{webhookID}/rotate-secret`
    @Sendable func rotate(_ request: OperatorRequest) async throws -> Success<WebhookJSON> {
        var overlap = WebhookSecrets.usualOverlap
        if request.hasBody {
            var json = try request.input(WebhookInput.rotationMembers)
            overlap = WebhookInput.overlap(&json)
            try json.finish()
        }
        let found = try await endpoint(request)
        let (endpoint, secret) = try await webhooks.rotate(
            found.id, in: found.workspaceID, overlap: overlap, version: request.version(),
            request: request.idempotent(), by: request.caller.authority)
        return Success(WebhookJSON(endpoint, secret: secret))
    }

    /// `POST /operator/v1/webhooks/{webhookID}/test`
    @Sendable func test(_ request: OperatorRequest) async throws -> Success<QueuedMessageJSON> {
        try request.context.requireNoContent()
        let found = try await endpoint(request)
        let id = try await webhooks.test(found.id, in: found.workspaceID, by: request.caller.authority)
        return Success(QueuedMessageJSON(id: id.rawValue))
    }

    /// `GET /operator/v1/webhooks/{webhookID}/deliveries`
    @Sendable func deliveries(_ request: OperatorRequest) async throws -> CursorPage<DeliveryJSON> {
        let query = try request.query(WebhookInput.filters)
        let found = try await endpoint(request)
        let filter = try WebhookInput.filter(query, of: found.id)
        return WebhookInput.page(try await webhooks.deliveries(filter, in: found.workspaceID), filter)
    }

    /// `GET /operator/v1/webhooks/{webhookID}/deliveries/{messageID}`
    @Sendable func delivery(_ request: OperatorRequest) async throws -> Success<DeliveryJSON> {
        let found = try await endpoint(request)
        let (delivery, body, attempts) = try await webhooks.delivery(
            WebhookInput.messageID(request.context), at: found.id, in: found.workspaceID)
        return Success(DeliveryJSON(delivery, body: body, attempts: attempts))
    }

    /// `POST /operator/v1/webhooks/{webhookID}/deliveries/{messageID}/resend`
    @Sendable func resend(_ request: OperatorRequest) async throws -> NoContent {
        try request.context.requireNoContent()
        let found = try await endpoint(request)
        _ = try await webhooks.resend(
            WebhookResend(.one(try WebhookInput.messageID(request.context)), to: found.id), in: found.workspaceID,
            by: request.caller.authority)
        return NoContent()
    }

    /// `POST /operator/v1/webhooks/{webhookID}/replay`
    @Sendable func replay(_ request: OperatorRequest) async throws -> Success<ReplayJSON> {
        var json = try request.input(WebhookInput.replayMembers)
        let which = WebhookInput.replay(&json)
        try json.finish()
        guard let which else { throw KeybearerError(.internalError, "Something went wrong.") }
        let found = try await endpoint(request)
        return Success(
            ReplayJSON(
                count: try await webhooks.resend(
                    WebhookResend(which, to: found.id), in: found.workspaceID, by: request.caller.authority)))
    }
}
