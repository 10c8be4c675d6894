import HTTPTypes
import HummingbirdCore
import Keybearer
import NIOCore

/// Webhooks by `/api/v1`: what an Owner or an Admin does with those of a workspace, with the own key.
///
/// The role is looked at here for what is only read; for a change, in the transaction that commits it.
struct WebhookHandlers: Sendable {
    let webhooks: WebhookService
    let events: EventService

    init(_ services: Services) { (webhooks, events) = (services.webhooks, services.events) }

    /// `GET /api/v1/event-types`: what webhooks can get.
    @Sendable func eventTypes(
        _ context: RequestContext, _ account: CachedAccount, _ rateLimit: RateLimitStatus
    ) async throws -> PlainList<EventTypeJSON> {
        let own = OwnEvent.allCases.filter(\.isChosen).map { EventTypeJSON($0) }
        return PlainList(try await events.types().map { EventTypeJSON($0) } + own)
    }

    /// `GET /api/v1/webhooks`: those of a workspace; of all in which the account may see them where none is named.
    @Sendable func list(
        _ context: RequestContext, _ account: CachedAccount, _ rateLimit: RateLimitStatus
    ) async throws -> PlainList<WebhookJSON> {
        guard let query = context.query else { throw KeybearerError(.badRequest, "The query could not be read.") }
        var ids = account.account.workspaces.filter { access in
            access.includesAPI && Permissions.allows(access.role, .viewWebhooks)
        }.map(\.workspace.id)
        if let id = try Self.workspace(query["workspaceId"], context) {
            try Self.requireView(id, account)
            ids = [id]
        }
        var found: [WebhookEndpoint] = []
        for id in ids { found += try await webhooks.list(of: id) }
        return PlainList(found.map { WebhookJSON($0) })
    }

    /// `POST /api/v1/webhooks`
    @Sendable func create(
        _ context: RequestContext, _ account: CachedAccount, _ rateLimit: RateLimitStatus
    ) async throws -> Success<WebhookJSON> {
        var json = try JSONInput(context, WebhookInput.newMembers)
        let input = WebhookInput.endpoint(&json)
        let named = json.text("workspaceId")
        if let named, WorkspaceID(parsing: named) == nil { json.report("workspaceId", "It must be ws_….") }
        try json.finish()
        guard let id = try Self.workspace(named, context) else {
            throw KeybearerError(.internalError, "Something went wrong.")
        }
        try Self.requireView(id, account)
        let (endpoint, secret) = try await webhooks.create(
            input, in: id, request: try Self.idempotent(context, account), by: context.authority(of: account))
        return Success(WebhookJSON(endpoint, secret: secret))
    }

    /// `GET /api/v1/webhooks/{webhookID}`
    @Sendable func get(
        _ context: RequestContext, _ account: CachedAccount, _ rateLimit: RateLimitStatus
    ) async throws -> Success<WebhookJSON> {
        Success(WebhookJSON(try await endpoint(context, account)))
    }

    /// `PATCH /api/v1/webhooks/{webhookID}`
    @Sendable func patch(
        _ context: RequestContext, _ account: CachedAccount, _ rateLimit: RateLimitStatus
    ) async throws -> Success<WebhookJSON> {
        var json = try JSONInput(context, WebhookInput.patchMembers)
        let input = WebhookInput.endpoint(&json)
        try json.finish()
        let onlyStops = input.isEnabled == false && input.name == nil && input.url == nil && input.events == nil
        let found = try await endpoint(context, account, stops: onlyStops)
        return Success(
            WebhookJSON(
                try await webhooks.update(
                    found.id, in: found.workspaceID, input, by: context.authority(of: account))))
    }

    /// `DELETE /api/v1/webhooks/{webhookID}`
    @Sendable func delete(
        _ context: RequestContext, _ account: CachedAccount, _ rateLimit: RateLimitStatus
    ) async throws -> NoContent {
        try context.requireNoContent()
        let found = try await endpoint(context, account, stops: true)
        try await webhooks.delete(found.id, in: found.workspaceID, by: context.authority(of: account))
        return NoContent()
    }

    /// `POST /api/v1/webhooks/{webhookID}/rotate-secret`
    @Sendable func rotate(
        _ context: RequestContext, _ account: CachedAccount, _ rateLimit: RateLimitStatus
    ) async throws -> Success<WebhookJSON> {
        var overlap = WebhookSecrets.usualOverlap
        if context.content.readableBytes > 0 {
            var json = try JSONInput(context, WebhookInput.rotationMembers)
            overlap = WebhookInput.overlap(&json)
            try json.finish()
        }
        let found = try await endpoint(context, account)
        let (endpoint, secret) = try await webhooks.rotate(
            found.id, in: found.workspaceID, overlap: overlap, request: try Self.idempotent(context, account),
            by: context.authority(of: account))
        return Success(WebhookJSON(endpoint, secret: secret))
    }

    /// `POST /api/v1/webhooks/{webhookID}/test`
    @Sendable func test(
        _ context: RequestContext, _ account: CachedAccount, _ rateLimit: RateLimitStatus
    ) async throws -> Success<QueuedMessageJSON> {
        try context.requireNoContent()
        let found = try await endpoint(context, account)
        let id = try await webhooks.test(found.id, in: found.workspaceID, by: context.authority(of: account))
        return Success(QueuedMessageJSON(id: id.rawValue))
    }

    /// `GET /api/v1/webhooks/{webhookID}/deliveries`
    @Sendable func deliveries(
        _ context: RequestContext, _ account: CachedAccount, _ rateLimit: RateLimitStatus
    ) async throws -> CursorPage<DeliveryJSON> {
        guard let query = context.query else { throw KeybearerError(.badRequest, "The query could not be read.") }
        let found = try await endpoint(context, account)
        let filter = try WebhookInput.filter(query, of: found.id)
        return WebhookInput.page(try await webhooks.deliveries(filter, in: found.workspaceID), filter)
    }

    /// `GET /api/v1/webhooks/{webhookID}/deliveries/{messageID}`
    @Sendable func delivery(
        _ context: RequestContext, _ account: CachedAccount, _ rateLimit: RateLimitStatus
    ) async throws -> Success<DeliveryJSON> {
        let found = try await endpoint(context, account)
        let (delivery, body, attempts) = try await webhooks.delivery(
            WebhookInput.messageID(context), at: found.id, in: found.workspaceID)
        return Success(DeliveryJSON(delivery, body: body, attempts: attempts))
    }

    /// `POST /api/v1/webhooks/{webhookID}/deliveries/{messageID}/resend`
    @Sendable func resend(
        _ context: RequestContext, _ account: CachedAccount, _ rateLimit: RateLimitStatus
    ) async throws -> NoContent {
        try context.requireNoContent()
        let found = try await endpoint(context, account)
        _ = try await webhooks.resend(
            WebhookResend(.one(try WebhookInput.messageID(context)), to: found.id), in: found.workspaceID,
            by: context.authority(of: account))
        return NoContent()
    }

    /// `POST /api/v1/webhooks/{webhookID}/replay`
    @Sendable func replay(
        _ context: RequestContext, _ account: CachedAccount, _ rateLimit: RateLimitStatus
    ) async throws -> Success<ReplayJSON> {
        var json = try JSONInput(context, WebhookInput.replayMembers)
        let which = WebhookInput.replay(&json)
        try json.finish()
        guard let which else { throw KeybearerError(.internalError, "Something went wrong.") }
        let found = try await endpoint(context, account)
        return Success(
            ReplayJSON(
                count: try await webhooks.resend(
                    WebhookResend(which, to: found.id), in: found.workspaceID, by: context.authority(of: account))))
    }

    /// The webhook of the path: of a workspace where the account may see webhooks.
    ///
    /// - Parameter stops: whether it is only to be stopped, which needs no plan.
    /// - Throws: `NOT_FOUND`, also for one of another's workspace and for the operator's; `FORBIDDEN`; `FEATURE_LOCKED`.
    private func endpoint(
        _ context: RequestContext, _ account: CachedAccount, stops: Bool = false
    ) async throws -> WebhookEndpoint {
        let endpoint = try await webhooks.find(WebhookInput.endpointID(context))
        guard let workspaceID = endpoint.workspaceID, Self.access(to: workspaceID, account) != nil else {
            throw KeybearerError.noSuchWebhook
        }
        if let named = try Admission.workspace(in: context.headers), named != workspaceID {
            throw KeybearerError.noSuchWebhook
        }
        try Self.requireView(workspaceID, account, stops: stops)
        return endpoint
    }

    /// The workspace that a request names in its own way, or by `X-Workspace-Id`, which must agree.
    private static func workspace(
        _ named: String?, _ context: RequestContext
    ) throws(KeybearerError) -> WorkspaceID? {
        let header = try Admission.workspace(in: context.headers)
        let own = try named.map { text throws(KeybearerError) in
            try Admission.workspace(named: text, in: "workspaceId")
        }
        if let own, let header, own != header {
            throw KeybearerError(.badRequest, "X-Workspace-Id and workspaceId name different workspaces.")
        }
        return own ?? header
    }

    /// The workspace that a webhook is of counts like one that the request names: its plan decides, whatever others the
    /// account is in.
    private static func requireView(
        _ id: WorkspaceID, _ account: CachedAccount, stops: Bool = false
    ) throws(KeybearerError) {
        guard let access = access(to: id, account) else { throw KeybearerError.notYourWorkspace }
        guard Permissions.allows(access.role, .viewWebhooks) else { throw KeybearerError.roleForbids(.viewWebhooks) }
        guard access.includesAPI || stops else { throw KeybearerError.featureLocked }
    }

    private static func access(to id: WorkspaceID, _ account: CachedAccount) -> WorkspaceAccess? {
        account.account.workspaces.first { $0.workspace.id == id }
    }

    /// The idempotency key with all that is asked for; nil where none was sent.
    private static func idempotent(
        _ context: RequestContext, _ account: CachedAccount
    ) throws(KeybearerError) -> IdempotentRequest? {
        try context.single(HeaderName.idempotencyKey).map { key throws(KeybearerError) in
            try IdempotentRequest(scope: account.account.user.id.rawValue, key: key, asked: context.asked)
        }
    }
}
