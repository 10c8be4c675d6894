import Foundation
import HTTPTypes
import Hummingbird
import Keybearer

/// The tab "Webhooks": endpoints of a workspace, and what became of their messages.
struct WebhookPageHandlers: Sendable {
    let webhooks: WebhookService
    let events: EventService
    let keyPage: KeyPageHandlers
    let pages: DashboardResponder
    let clocks: Clocks

    init(_ services: Services, _ keyPage: KeyPageHandlers, _ pages: DashboardResponder, _ clocks: Clocks) {
        (webhooks, events) = (services.webhooks, services.events)
        (self.keyPage, self.pages, self.clocks) = (keyPage, pages, clocks)
    }

    /// How many deliveries a page lists.
    private static let pageSize = 25

    /// `GET /workspaces/{workspaceID}/webhooks`
    @Sendable func list(_ context: RequestContext, _ signedIn: SessionService.SignedIn) async throws -> Response {
        try await show(
            context, signedIn, notice: Notice.asked(by: context.query ?? [:], of: [WebhooksPage.deleted]))
    }

    /// `POST /workspaces/{workspaceID}/webhooks`: shows the new one with its secret, once.
    @Sendable func create(_ context: RequestContext, _ signedIn: SessionService.SignedIn) async throws -> Response {
        let access = try WorkspaceGuard.access(context, signedIn.account)
        let input = try Self.input(context)
        // Whoever reloads the page with the secret sends the form again.
        let request = try context.form()["idempotencyKey"].map { key in
            try IdempotentRequest(
                scope: signedIn.account.user.id.rawValue, key: key,
                asked: Array(([input.name ?? "", input.url ?? ""] + (input.events ?? [])).joined(separator: "\n").utf8))
        }
        do {
            let (endpoint, secret) = try await webhooks.create(
                input, in: access.workspace.id, request: request, by: signedIn.authority(from: context.client))
            return try await show(
                endpoint, context, signedIn, notice: Notice(.success, "Webhook added."), secret: secret)
        } catch let error as KeybearerError where error.isRepeated {
            return try await show(context, signedIn, error.code.status, notice: WebhooksPage.addedBefore)
        } catch let error as KeybearerError where [.validationFailed, .conflict].contains(error.code) {
            let form = WebhookForm(
                name: input.name ?? "", url: input.url ?? "", events: input.events ?? [],
                types: try await events.types(), problems: error.fields)
            return try await show(
                context, signedIn, error.code.status,
                notice: form.hasErrors ? nil : Notice(.failure, error.message), form: form)
        }
    }

    /// `GET /workspaces/{workspaceID}/webhooks/{webhookID}`
    @Sendable func page(_ context: RequestContext, _ signedIn: SessionService.SignedIn) async throws -> Response {
        let query = context.query ?? [:]
        let notice = Notice.asked(
            by: query, of: [WebhookPage.saved, WebhookPage.enabled, WebhookPage.disabled, WebhookPage.tested])
        let replayed = query["replayed"].flatMap { Int($0) }.map { WebhookPage.replayed($0) }
        return try await show(try await found(context, signedIn), context, signedIn, notice: notice ?? replayed)
    }

    /// `POST /workspaces/{workspaceID}/webhooks/{webhookID}`
    @Sendable func change(_ context: RequestContext, _ signedIn: SessionService.SignedIn) async throws -> Response {
        let endpoint = try await found(context, signedIn)
        let input = try Self.input(context)
        do {
            let changed = try await webhooks.update(
                endpoint.id, in: endpoint.workspaceID, input, by: signedIn.authority(from: context.client))
            return pages.redirect(to: Self.path(of: changed) + "?saved=1")
        } catch let error as KeybearerError where error.code == .validationFailed {
            let form = WebhookForm(
                name: input.name ?? "", url: input.url ?? "", events: input.events ?? [],
                types: try await events.types(), problems: error.fields)
            return try await show(endpoint, context, signedIn, error.code.status, form: form)
        }
    }

    /// `POST /workspaces/{workspaceID}/webhooks/{webhookID}/rotate-secret`: shows the new secret, once.
    @Sendable func rotate(_ context: RequestContext, _ signedIn: SessionService.SignedIn) async throws -> Response {
        let endpoint = try await found(context, signedIn)
        let form = try context.form()
        let overlap = Int(form["hours"] ?? "") ?? 24
        do {
            // The one of the page: whoever reloads the page with the new secret replaces nothing.
            let (changed, secret) = try await webhooks.rotate(
                endpoint.id, in: endpoint.workspaceID, overlap: .seconds(3_600 * max(0, min(overlap, 168))),
                version: form["version"].flatMap { Int($0) }, by: signedIn.authority(from: context.client))
            return try await show(
                changed, context, signedIn, notice: Notice(.success, "The secret was replaced."), secret: secret)
        } catch let error as KeybearerError where error.code == .conflict {
            return try await show(
                endpoint, context, signedIn, error.code.status, notice: Notice(.failure, error.message))
        }
    }

    /// `POST /workspaces/{workspaceID}/webhooks/{webhookID}/enable`
    @Sendable func enable(_ context: RequestContext, _ signedIn: SessionService.SignedIn) async throws -> Response {
        try await set(true, context, signedIn)
    }

    /// `POST /workspaces/{workspaceID}/webhooks/{webhookID}/disable`
    @Sendable func disable(_ context: RequestContext, _ signedIn: SessionService.SignedIn) async throws -> Response {
        try await set(false, context, signedIn)
    }

    private func set(
        _ isEnabled: Bool, _ context: RequestContext, _ signedIn: SessionService.SignedIn
    ) async throws -> Response {
        let endpoint = try await found(context, signedIn)
        _ = try await webhooks.update(
            endpoint.id, in: endpoint.workspaceID, WebhookService.Input(isEnabled: isEnabled),
            by: signedIn.authority(from: context.client))
        return pages.redirect(to: Self.path(of: endpoint) + (isEnabled ? "?enabled=1" : "?disabled=1"))
    }

    /// `POST /workspaces/{workspaceID}/webhooks/{webhookID}/delete`
    @Sendable func delete(_ context: RequestContext, _ signedIn: SessionService.SignedIn) async throws -> Response {
        let endpoint = try await found(context, signedIn)
        try await webhooks.delete(
            endpoint.id, in: endpoint.workspaceID, by: signedIn.authority(from: context.client))
        let workspaceID = context.parameters["workspaceID"] ?? ""
        return pages.redirect(to: "/workspaces/\(workspaceID)/webhooks?deleted=1")
    }

    /// `POST /workspaces/{workspaceID}/webhooks/{webhookID}/test`: leads to the message.
    @Sendable func test(_ context: RequestContext, _ signedIn: SessionService.SignedIn) async throws -> Response {
        let endpoint = try await found(context, signedIn)
        do {
            _ = try await webhooks.test(
                endpoint.id, in: endpoint.workspaceID, by: signedIn.authority(from: context.client))
            return pages.redirect(to: Self.path(of: endpoint) + "?tested=1#deliveries")
        } catch let error as KeybearerError where error.code == .conflict {
            return try await show(
                endpoint, context, signedIn, error.code.status, notice: Notice(.failure, error.message))
        }
    }

    /// `POST /workspaces/{workspaceID}/webhooks/{webhookID}/replay`
    @Sendable func replay(_ context: RequestContext, _ signedIn: SessionService.SignedIn) async throws -> Response {
        let endpoint = try await found(context, signedIn)
        let form = try context.form()
        let until = Self.day(form["until"])?.advanced(by: Self.oneDay)
        guard let since = Self.day(form["since"]), let until, since < until else {
            return try await show(
                endpoint, context, signedIn, .unprocessableContent,
                notice: Notice(.failure, "Choose a first and a last day."))
        }
        do {
            let count = try await webhooks.resend(
                WebhookResend(.missed(since: since, until: until), to: endpoint.id), in: endpoint.workspaceID,
                by: signedIn.authority(from: context.client))
            return pages.redirect(to: Self.path(of: endpoint) + "?replayed=\(count)")
        } catch let error as KeybearerError where error.code == .conflict {
            return try await show(
                endpoint, context, signedIn, error.code.status, notice: Notice(.failure, error.message))
        }
    }

    /// `GET /workspaces/{workspaceID}/webhooks/{webhookID}/deliveries/{messageID}`
    @Sendable func delivery(_ context: RequestContext, _ signedIn: SessionService.SignedIn) async throws -> Response {
        let endpoint = try await found(context, signedIn)
        let access = try WorkspaceGuard.access(context, signedIn.account)
        let (delivery, body, attempts) = try await webhooks.delivery(
            WebhookInput.messageID(context), at: endpoint.id, in: endpoint.workspaceID)
        return pages.show(
            DeliveryPage(
                shell: Self.shell(of: access, signedIn),
                workspaceID: access.workspace.id.rawValue,
                notice: Notice.asked(by: context.query ?? [:], of: [DeliveryPage.resent]),
                webhookID: endpoint.id.rawValue, webhookName: endpoint.name, delivery: DeliveryRow(delivery),
                sequence: String(delivery.sequence), payload: String(decoding: body, as: UTF8.self),
                attempts: attempts.map { AttemptRow($0) }, hasAttempts: !attempts.isEmpty,
                canResend: endpoint.state.isOn && access.includesAPI))
    }

    /// `POST /workspaces/{workspaceID}/webhooks/{webhookID}/deliveries/{messageID}/resend`
    @Sendable func resend(_ context: RequestContext, _ signedIn: SessionService.SignedIn) async throws -> Response {
        let endpoint = try await found(context, signedIn)
        let id = try WebhookInput.messageID(context)
        _ = try await webhooks.resend(
            WebhookResend(.one(id), to: endpoint.id), in: endpoint.workspaceID,
            by: signedIn.authority(from: context.client))
        return pages.redirect(to: Self.path(of: endpoint) + "/deliveries/\(id)?resent=1")
    }

    // MARK: - Parts

    private static func shell(of access: WorkspaceAccess, _ signedIn: SessionService.SignedIn) -> DashboardShell {
        DashboardShell(
            of: signedIn.account, current: access.workspace.id, section: .apiWebhooks, portal: signedIn.session.portal)
    }

    private static let oneDay: Duration = .seconds(86_400)

    private static func day(_ text: String?) -> Timestamp? {
        guard let text, text.utf8.count == 10 else { return nil }
        return Timestamp(rfc3339: text + "T00:00:00Z")
    }

    private static func path(of endpoint: WebhookEndpoint) -> String {
        "/workspaces/\(endpoint.workspaceID?.rawValue ?? "")/webhooks/\(endpoint.id)"
    }

    /// The webhook of the path, of the workspace of the path.
    func found(_ context: RequestContext, _ signedIn: SessionService.SignedIn) async throws -> WebhookEndpoint {
        let access = try WorkspaceGuard.access(context, signedIn.account)
        return try await webhooks.find(WebhookInput.endpointID(context), in: access.workspace.id)
    }

    /// The form: a field for each event that is chosen.
    private static func input(_ context: RequestContext) throws -> WebhookService.Input {
        let form = try context.form()
        let chosen = form.keys.filter { $0.hasPrefix("event.") }.map { String($0.dropFirst(6)) }.sorted()
        return WebhookService.Input(
            name: form["name"] ?? "", url: (form["url"] ?? "").trimmingCharacters(in: .whitespacesAndNewlines),
            events: form["all"] != nil ? ["*"] : chosen)
    }

    private func show(
        _ context: RequestContext, _ signedIn: SessionService.SignedIn, _ status: HTTPResponse.Status = .ok,
        notice: Notice? = nil, form: WebhookForm? = nil
    ) async throws -> Response {
        let access = try WorkspaceGuard.access(context, signedIn.account)
        let mayView = Permissions.allows(access.role, .viewWebhooks)
        let isOpen = mayView && access.includesAPI
        // Where the plan does not include them, what is there can still be stopped.
        let found = mayView ? try await webhooks.list(of: access.workspace.id) : nil
        let types = isOpen && form == nil ? try await events.types() : []
        return pages.show(
            WebhooksPage(
                shell: Self.shell(of: access, signedIn),
                access: access, webhooks: found, form: form ?? WebhookForm(types: types),
                lock: access.includesAPI
                    ? nil : try await keyPage.lockPanel(access, isPortal: signedIn.session.portal != nil),
                notice: notice, idempotencyKey: keyPage.newIdempotencyKey()), status)
    }

    func show(
        _ endpoint: WebhookEndpoint, _ context: RequestContext, _ signedIn: SessionService.SignedIn,
        _ status: HTTPResponse.Status = .ok, notice: Notice? = nil, form: WebhookForm? = nil,
        secret: WebhookSecret? = nil, sample: SampleResult? = nil
    ) async throws -> Response {
        let access = try WorkspaceGuard.access(context, signedIn.account)
        let query = context.request.method == .get ? context.query ?? [:] : [:]
        let (event, state) = (query["event"] ?? "", query["state"] ?? "")
        var filter = DeliveryFilter(endpointID: endpoint.id, limit: Self.pageSize + 1)
        filter.event = EventName(parsing: event)
        filter.state = WebhookDelivery.State(rawValue: state)
        if let place = try query["after"].map({ text throws(KeybearerError) in try ListPlace(cursor: text) }) {
            filter.after = (place.createdAt, WebhookMessageID(rawValue: place.id))
        }
        let found = try await webhooks.deliveries(filter, in: access.workspace.id)
        let shown = found.prefix(Self.pageSize)
        let last = found.count > Self.pageSize ? shown.last : nil
        let filterForm = DeliveryFilterForm(
            event: filter.event?.rawValue ?? "", state: filter.state?.rawValue ?? "")
        let page = WebhookPage(
            shell: Self.shell(of: access, signedIn),
            workspaceID: access.workspace.id.rawValue, notice: notice, webhook: WebhookRow(endpoint),
            isOn: endpoint.state.isOn, failingSince: endpoint.health.failingSince.map { PageTime($0) },
            isLocked: !access.includesAPI,
            form: try await formOrSaved(form, endpoint), revealedSecret: secret?.text,
            oldSecretEndsAt: endpoint.previousSecretEndsAt.flatMap { $0 > clocks.wall() ? PageTime($0) : nil },
            deliveries: shown.map { DeliveryRow($0) }, hasDeliveries: !shown.isEmpty, filter: filterForm,
            olderPath: last.map { older($0, endpoint, filter) }, sample: sample)
        return pages.show(page, status)
    }

    private func formOrSaved(_ form: WebhookForm?, _ endpoint: WebhookEndpoint) async throws -> WebhookForm {
        if let form { return form }
        return WebhookForm(of: endpoint, types: try await events.types())
    }

    private func older(
        _ last: WebhookDelivery, _ endpoint: WebhookEndpoint, _ filter: DeliveryFilter
    ) -> String {
        let cursor = ListPlace(createdAt: last.createdAt, id: last.messageID.rawValue).cursor
        // Names of events and states hold nothing that a query escapes.
        return Self.path(of: endpoint)
            + "?event=\(filter.event?.rawValue ?? "")&state=\(filter.state?.rawValue ?? "")&after=\(cursor)#deliveries"
    }
}
