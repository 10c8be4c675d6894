import HTTPTypes
import Hummingbird
import Keybearer
import NIOCore

/// The "API & Webhooks" page of a workspace: the key's record, reveal, regenerate, and the plan that unlocks it.
struct KeyPageHandlers: Sendable {
    let keys: KeyService
    let sessions: SessionService
    let workspaces: WorkspaceService
    let serviceAccounts: ServiceAccountService
    let node: Node
    let pages: DashboardResponder
    /// The prefix in the examples' placeholder.
    let keyPrefix: String
    /// Whether an address is that of a proxy of the service's own.
    let isProxy: @Sendable (IPAddress) -> Bool

    private var recent: RecentSignIn { RecentSignIn(pages: pages) }

    /// `GET /`: the first workspace's page, or the account's where there is none.
    @Sendable func home(_ context: RequestContext, _ signedIn: SessionService.SignedIn) async throws -> Response {
        let start = DashboardShell.start(of: signedIn.account, in: signedIn.session.portal)
        return pages.redirect(to: start ?? "/account")
    }

    /// `GET /workspaces/{workspaceID}/api-webhooks`
    @Sendable func page(_ context: RequestContext, _ signedIn: SessionService.SignedIn) async throws -> Response {
        let subject = try await subject(context, signedIn)
        let notice = Notice.asked(
            by: context.query ?? [:],
            of: [
                APIKeyPage.regenerated, APIKeyPage.networksChanged, APIKeyPage.networksCleared, APIKeyPage.created,
                APIKeyPage.planChanged(to: subject.access.plan.name),
            ] + APIKeyPage.ofServiceAccounts)
        return try await show(context, signedIn, subject, notice: notice, key: subject.account.key, revealed: nil)
    }

    /// `GET /workspaces/{workspaceID}/api-webhooks/record`: the key's record without the key. The page's script fetches
    /// it before it copies a key that it shows, and when the page comes back into view.
    @Sendable func record(_ context: RequestContext, _ signedIn: SessionService.SignedIn) async throws -> Response {
        let subject = try await subject(context, signedIn)
        try Self.requireFeature(subject.access)
        return try json(subject.account.key, of: subject.account.user.id)
    }

    /// `POST /workspaces/{workspaceID}/api-webhooks/reveal`: the key, to a recent sign-in only.
    @Sendable func reveal(_ context: RequestContext, _ signedIn: SessionService.SignedIn) async throws -> Response {
        let subject = try await subject(context, signedIn)
        try Self.requireFeature(subject.access)
        return try await recent.require(context, signedIn, next: subject.path) {
            let userID = subject.account.user.id
            let (secret, key) = try await keys.revealWithRecord(
                userID, by: signedIn.authority(from: context.client), needs: subject.reveal)
            guard context.wantsJSON else {
                return try await show(context, signedIn, subject, notice: nil, key: key, revealed: secret)
            }
            return try json(key, of: userID, secret: secret)
        }
    }

    /// `GET /workspaces/{workspaceID}/api-webhooks/regenerate`: the question, for browsers without scripts.
    @Sendable func regeneratePage(_ context: RequestContext, _ signedIn: SessionService.SignedIn) async throws
        -> Response
    {
        let subject = try await subject(context, signedIn)
        return try await recent.require(context, signedIn, next: subject.path + "/regenerate") {
            let page = RegeneratePage(
                shell: DashboardShell(
                    of: signedIn.account, current: subject.access.workspace.id, section: .apiWebhooks,
                    portal: signedIn.session.portal),
                workspaceID: subject.access.workspace.id.rawValue, keyPath: subject.path,
                serviceAccount: subject.heading(),
                prefix: subject.account.key.shownPrefix, version: subject.account.key.version,
                idempotencyKey: newIdempotencyKey())
            return pages.show(page)
        }
    }

    /// `POST /workspaces/{workspaceID}/api-webhooks/regenerate`: works while the feature is locked too, so that a
    /// leaked key does not work again after an upgrade.
    @Sendable func regenerate(_ context: RequestContext, _ signedIn: SessionService.SignedIn) async throws -> Response {
        let subject = try await subject(context, signedIn)
        return try await recent.require(context, signedIn, next: subject.path + "/regenerate") {
            let form = try context.form()
            let userID = subject.account.user.id
            let (_, key) = try await keys.regenerate(
                userID,
                // A text that is no number is no key's version.
                version: form["version"].map { Int(Int32($0) ?? -1) },
                idempotencyKey: form["idempotencyKey"].flatMap { $0.isEmpty ? nil : $0 },
                by: signedIn.authority(from: context.client),
                needs: subject.regenerate)
            // Without the new key: whoever wants to see it reveals it.
            if context.wantsJSON { return try json(key, of: userID) }
            return pages.redirect(to: subject.path + "?regenerated=1")
        }
    }

    /// `POST /workspaces/{workspaceID}/plan`: an Owner moves the workspace, where that is open.
    @Sendable func switchPlan(_ context: RequestContext, _ signedIn: SessionService.SignedIn) async throws -> Response {
        let access = try WorkspaceGuard.access(context, signedIn.account)
        let form = try context.form()
        try await workspaces.switchPlan(
            PlanID(rawValue: form["planID"] ?? ""), of: access.workspace.id, as: signedIn.account,
            by: signedIn.authority(from: context.client))
        return pages.redirect(to: KeySubject.path(of: nil, in: access.workspace.id) + "?plan=changed")
    }

    /// The page of a service account whose new name was refused.
    func showRefusedName(
        _ context: RequestContext, _ signedIn: SessionService.SignedIn, typed: String, problem: String,
        _ status: HTTPResponse.Status
    ) async throws -> Response {
        let subject = try await subject(context, signedIn)
        return try await show(
            context, signedIn, subject, notice: nil, key: subject.account.key, revealed: nil, status: status
        ) { ($0.typedName, $0.nameProblem) = (typed, problem) }
    }

    func subject(
        _ context: RequestContext, _ signedIn: SessionService.SignedIn
    ) async throws -> KeySubject {
        try await KeySubject.find(context, signedIn, among: serviceAccounts)
    }

    /// A record as the page's script reads it.
    private func json(_ key: APIKey, of userID: UserID, secret: SecretKey? = nil) throws -> Response {
        let key = keys.withLatestUse(key, of: userID)
        let record = KeyRecord(
            version: key.version, prefix: key.shownPrefix, generatedAt: key.generatedAt, lastUse: Self.lastUse(of: key),
            secret: secret)
        return APIResponse.json(try Envelope.success(record)).response
    }

    /// - Parameters:
    ///   - draft: networks that were sent and not saved.
    ///   - trial: what came of the request that the page made.
    ///   - change: what else the page says of a service account.
    func show(
        _ context: RequestContext, _ signedIn: SessionService.SignedIn, _ subject: KeySubject, notice: Notice?,
        key: APIKey, revealed: SecretKey?, draft: NetworksPanel.Draft? = nil, trial: TrialPanel? = nil,
        status: HTTPResponse.Status = .ok, _ change: (inout ServiceAccountHeading) -> Void = { _ in }
    ) async throws -> Response {
        let access = subject.access
        let content: APIKeyPage.Content =
            access.includesAPI
            ? .open(
                try await panel(context, signedIn, subject, key: key, revealed: revealed, draft: draft, trial: trial))
            : .locked(try await lockPanel(access, isPortal: signedIn.session.portal != nil))
        var heading: ServiceAccountHeading?
        if subject.account.user.kind == .service {
            heading = subject.heading(
                try await serviceAccounts.views(in: access.workspace.id),
                responsible: try await serviceAccounts.responsiblePeople(in: access.workspace.id))
        }
        if var present = heading {
            change(&present)
            heading = present
        }
        let page = APIKeyPage(
            shell: DashboardShell(
                of: signedIn.account, current: access.workspace.id, section: .apiWebhooks,
                portal: signedIn.session.portal),
            workspaceID: access.workspace.id.rawValue, keyPath: subject.path, serviceAccount: heading,
            notice: notice, content: content)
        return pages.show(page, status)
    }

    private func panel(
        _ context: RequestContext, _ signedIn: SessionService.SignedIn, _ subject: KeySubject, key: APIKey,
        revealed: SecretKey?, draft: NetworksPanel.Draft?, trial: TrialPanel?
    ) async throws -> KeyPanel {
        let account = subject.account
        let apiURL = pages.place.apiURL(for: context)
        let key = keys.withLatestUse(key, of: account.user.id)
        // A key that was made elsewhere begins otherwise.
        let examplePrefix = key.shownPrefix.hasPrefix(keyPrefix) ? keyPrefix : ""
        let history = try await history(of: account)
        return KeyPanel(
            prefix: key.shownPrefix, version: key.version, generatedAt: key.generatedAt,
            lastUse: Self.lastUse(of: key, in: history),
            quota: try await quota(of: account, subject.access),
            revealedKey: revealed.map(RevealedKey.init), idempotencyKey: newIdempotencyKey(),
            examples: Examples.all(apiURL: apiURL, prefix: examplePrefix),
            networks: NetworksPanel(
                account.user.allowedNetworks, version: account.user.version, needsConfirmation: !signedIn.isRecent,
                draft: draft, pin: history.flatMap { PinOffer($0.sources.map(\.address), isProxy: isProxy) }),
            history: history.map { HistoryPanel($0, lastUse: key.lastUse) }, trial: trial)
    }

    /// From where the key was used; nil when the store is unavailable: the page shows the key without it.
    private func history(of account: Account) async throws -> KeyHistory? {
        do {
            return try await keys.history(of: account)
        } catch let error as KeybearerError where error.code == .unavailable {
            return nil
        }
    }

    /// What is left of the rate limit; nil when the store is unavailable: the page shows the key without it.
    private func quota(of account: Account, _ access: WorkspaceAccess) async throws -> QuotaMeter? {
        do {
            let rateLimit = try await node.rateLimitStatus(of: account, limit: account.hourlyLimit(in: access))
            return QuotaMeter(
                limit: rateLimit.limit, remaining: rateLimit.remaining,
                resetsAt: rateLimit.isUsed ? rateLimit.resetAt : nil)
        } catch let error as KeybearerError where error.code == .unavailable {
            return nil
        }
    }

    /// What the page shows instead of what the plan does not include.
    ///
    /// - Parameter isPortal: whether the reader came by a portal link: then nothing is offered that such a session may not
    ///   do.
    func lockPanel(_ access: WorkspaceAccess, isPortal: Bool) async throws -> LockPanel {
        guard Permissions.allows(access.role, .changePlan) else {
            return LockPanel(
                planName: access.plan.name, owners: try await OwnerContact.all(of: access.workspace.id, workspaces))
        }
        let upgrades = try await workspaces.plans().filter(\.includesAPI)
        return LockPanel(
            planName: access.plan.name,
            upgrades: upgrades.map {
                UpgradeOption(
                    planName: $0.name, planID: $0.id.rawValue, canSwitchPlan: workspaces.isPlanSwitchOpen && !isPortal,
                    billingURL: $0.billingURL)
            })
    }

    private static func lastUse(of key: APIKey, in history: KeyHistory? = nil) -> LastUseRow? {
        key.lastUse.map { use in
            let source = history?.sources.first { $0.address == use.address }
            return LastUseRow(
                at: use.at, address: use.address.displayName,
                client: source.flatMap { $0.userAgent.isEmpty ? nil : $0.userAgent })
        }
    }

    static func requireFeature(_ access: WorkspaceAccess) throws(KeybearerError) {
        guard access.includesAPI else {
            throw KeybearerError(.featureLocked, "The plan does not include \(Feature.apiWebhooks.displayName).")
        }
    }

    func newIdempotencyKey() -> String { String(decoding: pages.random.base62(count: 22), as: UTF8.self) }
}
