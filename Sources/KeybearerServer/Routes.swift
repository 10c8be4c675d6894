import HTTPTypes
import Keybearer

/// Every path of the server.
///
/// `probe` and `anyone` are the named list of what needs no credentials; a test walks all the others.
enum Routes {
    static func all(_ edge: RouteHandlers) -> [Route] {
        let groups: [[Route]] = [
            probes(edge), api(edge.api), webhooks(edge.webhooks),
            operatorUsers(edge.users), operatorWorkspaces(edge.workspaces),
            operatorServiceAccounts(edge.serviceAccounts), operatorLimits(edge.limits),
            operatorWebhooks(edge.operatorWebhooks), operatorEvents(edge.events),
            operatorOthers(edge),
            pages(edge), keyPages(edge.keyPages, edge.usagePage), workspacePages(edge.workspacePages),
            teamPages(edge.teamPages, edge.invitations), serviceAccountPages(edge.keyPages, edge.usagePage),
            webhookPages(edge.webhookPages), mailPages(edge.mailLinks, edge.account),
        ]
        return groups.flatMap { $0 }
    }

    /// What tells how the server is, and what it does.
    private static func probes(_ edge: RouteHandlers) -> [Route] {
        [
            .probe(.get, Routes.health, edge.probes.health),
            .probe(.get, Routes.readiness, edge.probes.readiness),
            .probe(.get, Routes.metrics, edge.metrics.get),
            .probe(.get, Routes.document, edge.openAPI.get),
        ]
    }

    /// What programs ask with a key.
    private static func api(_ api: APIHandlers) -> [Route] {
        [
            profile(api),
            .key(
                .get, "/api/v1/workspaces", returns: ListPage<WorkspaceJSON>.self, with: Endpoint.Parameter.paging,
                summary: "List the account's workspaces", .memory(api.workspaces)),
            .key(
                .get, "/api/v1/workspaces/{workspaceID}", for: .path(parameter: "workspaceID"),
                returns: Success<WorkspaceJSON>.self, summary: "Get one of the account's workspaces",
                .memory(api.workspace)),
            .key(
                .get, "/api/v1/key", returns: Success<KeyJSON>.self, summary: "Get the key's record, without the key",
                .memory(api.key)),
            .key(
                .get, "/api/v1/usage", returns: Success<UsageJSON>.self, with: Endpoint.Parameter.usage,
                summary: "Get what the account's requests came to", .awaiting(api.usage)),
            .key(
                .post, "/api/v1/key/revoke", for: .keyAlone, returns: NoContent.self, takes: .emptyObject,
                summary: "End the key that makes the request", .awaiting(api.revoke)),
            .key(
                .post, Routes.regenerateByKey, for: .accountOnly, returns: Success<KeyJSON>.self, takes: .emptyObject,
                with: [.idempotencyKey], summary: "Replace the key that makes the request",
                .awaiting(api.regenerate)),
        ]
    }

    /// The operator API: users and their keys.
    private static func operatorUsers(_ users: UserHandlers) -> [Route] {
        [
            .operatorToken(
                .get, "/operator/v1/users", for: .readUsers, returns: CursorPage<UserJSON>.self,
                with: UserHandlers.filters, summary: "List users", users.list),
            .operatorWrite(
                .post, "/operator/v1/users", for: .writeUsers, returns: Success<UserJSON>.self,
                takes: .json(UserHandlers.createMembers), summary: "Create a user", users.create),
            .operatorToken(
                .get, "/operator/v1/users/{user}", for: .readUsers, returns: Success<UserJSON>.self,
                summary: "Get a user", users.get),
            .operatorWrite(
                .put, "/operator/v1/users/{user}", for: .writeUsers, returns: Success<UserJSON>.self,
                takes: .json(UserHandlers.putMembers), with: [.ifMatch], summary: "Create or replace a user",
                users.put),
            .operatorWrite(
                .patch, "/operator/v1/users/{user}", for: .writeUsers, returns: Success<UserJSON>.self,
                takes: .json(UserHandlers.patchMembers), with: [.ifMatch], summary: "Change a user", users.patch),
            .operatorWrite(
                .delete, "/operator/v1/users/{user}", for: .writeUsers, returns: NoContent.self,
                takes: .optionalJSON(UserHandlers.deletionMembers), with: [.ifMatch], summary: "Delete a user",
                users.delete),
            .operatorToken(
                .get, "/operator/v1/users/{user}/export", for: .readUsers, returns: Success<PersonalDataJSON>.self,
                summary: "Get all that is kept about a user", users.export),
            .operatorWrite(
                .post, "/operator/v1/users/{user}/disable", for: .writeUsers, returns: Success<UserJSON>.self,
                takes: .emptyObject, with: [.ifMatch], summary: "Disable a user: the key is refused", users.disable),
            .operatorWrite(
                .post, "/operator/v1/users/{user}/enable", for: .writeUsers, returns: Success<UserJSON>.self,
                takes: .emptyObject, with: [.ifMatch], summary: "Enable a user again", users.enable),
            .operatorWrite(
                .post, "/operator/v1/users/{user}/end-sessions", for: .writeUsers, returns: NoContent.self,
                takes: .emptyObject, summary: "End all sessions of a user", users.endSessions),
            .operatorWrite(
                .post, "/operator/v1/users/{user}/second-factor/reset", for: .writeIdentity, returns: NoContent.self,
                takes: .emptyObject, summary: "Turn a user's two-step sign-in off", users.resetSecondFactor),
            .operatorToken(
                .get, "/operator/v1/users/{user}/key", for: .readUsers, returns: Success<KeyJSON>.self,
                summary: "Get the record of a user's key, without the key", users.key),
            .operatorToken(
                .get, "/operator/v1/users/{user}/key/history", for: .readUsers, returns: Success<KeyHistoryJSON>.self,
                summary: "Get from where a user's key was used, and what was refused", users.keyHistory),
            .operatorToken(
                .post, "/operator/v1/users/{user}/key/reveal", for: .revealKeys, returns: Success<KeyJSON>.self,
                takes: .emptyObject, summary: "Get a user's key", users.reveal),
            .operatorWrite(
                .post, "/operator/v1/users/{user}/key/regenerate", for: .regenerateKeys,
                returns: Success<KeyJSON>.self, takes: .emptyObject, with: [.ifMatch],
                summary: "Replace a user's key", users.regenerate),
        ]
    }

    /// The operator API: workspaces and members.
    private static func operatorWorkspaces(_ workspaces: WorkspaceHandlers) -> [Route] {
        [
            .operatorToken(
                .get, "/operator/v1/workspaces", for: .readWorkspaces, returns: CursorPage<WorkspaceRecordJSON>.self,
                with: WorkspaceHandlers.filters, summary: "List workspaces", workspaces.list),
            .operatorWrite(
                .post, "/operator/v1/workspaces", for: .writeWorkspaces, returns: Success<WorkspaceRecordJSON>.self,
                takes: .json(WorkspaceHandlers.newMembers), summary: "Create a workspace", workspaces.create),
            .operatorToken(
                .get, "/operator/v1/workspaces/{workspace}", for: .readWorkspaces,
                returns: Success<WorkspaceRecordJSON>.self, summary: "Get a workspace", workspaces.get),
            .operatorWrite(
                .put, "/operator/v1/workspaces/{workspace}", for: .writeWorkspaces,
                returns: Success<WorkspaceRecordJSON>.self, takes: .json(WorkspaceHandlers.putMembers),
                with: [.ifMatch], summary: "Create a workspace or replace its name", workspaces.put),
            .operatorWrite(
                .patch, "/operator/v1/workspaces/{workspace}", for: .writeWorkspaces,
                returns: Success<WorkspaceRecordJSON>.self, takes: .json(WorkspaceHandlers.patchMembers),
                with: [.ifMatch], summary: "Change a workspace", workspaces.patch),
            .operatorWrite(
                .delete, "/operator/v1/workspaces/{workspace}", for: .writeWorkspaces, returns: NoContent.self,
                takes: .emptyObject, with: [.ifMatch], summary: "Delete a workspace", workspaces.delete),
            .operatorWrite(
                .post, "/operator/v1/workspaces/{workspace}/suspend", for: .writeWorkspaces,
                returns: Success<WorkspaceRecordJSON>.self, takes: .emptyObject, with: [.ifMatch],
                summary: "Suspend a workspace: no key passes there", workspaces.suspend),
            .operatorWrite(
                .post, "/operator/v1/workspaces/{workspace}/resume", for: .writeWorkspaces,
                returns: Success<WorkspaceRecordJSON>.self, takes: .emptyObject, with: [.ifMatch],
                summary: "Let a suspended workspace go on", workspaces.resume),
            .operatorToken(
                .get, "/operator/v1/workspaces/{workspace}/members", for: .readWorkspaces,
                returns: CursorPage<MemberJSON>.self, with: Endpoint.Parameter.cursor,
                summary: "List a workspace's members", workspaces.members),
            .operatorWrite(
                .put, "/operator/v1/workspaces/{workspace}/members/{user}", for: .writeWorkspaces,
                returns: NoContent.self, takes: .json(WorkspaceHandlers.roleMembers), with: [.ifMatch],
                summary: "Add a member or change a role", workspaces.putMember),
            .operatorWrite(
                .delete, "/operator/v1/workspaces/{workspace}/members/{user}", for: .writeWorkspaces,
                returns: NoContent.self, takes: .emptyObject, with: [.ifMatch], summary: "Remove a member",
                workspaces.removeMember),
        ]
    }

    /// The operator API: limits, plans of workspaces, fresh hours.
    private static func operatorLimits(_ limits: LimitHandlers) -> [Route] {
        [
            .operatorWrite(
                .put, "/operator/v1/users/{user}/limit", for: .writeUsers, returns: Success<UserJSON>.self,
                takes: .json(LimitHandlers.limitMembers), with: [.ifMatch],
                summary: "Set a user's hourly limit, or let the plan's hold again", limits.setUserLimit),
            .operatorWrite(
                .put, "/operator/v1/users/{user}/networks", for: .writeUsers, returns: Success<UserJSON>.self,
                takes: .json(LimitHandlers.networkMembers), with: [.ifMatch],
                summary: "Let a user's key be used from networks alone, or from everywhere again",
                limits.setNetworks),
            .operatorWrite(
                .post, "/operator/v1/users/{user}/quota/reset", for: .resetQuota, returns: NoContent.self,
                takes: .emptyObject, summary: "Give a user a fresh hour", limits.resetQuota),
            .operatorWrite(
                .put, "/operator/v1/workspaces/{workspace}/limit", for: .writeWorkspaces,
                returns: Success<WorkspaceRecordJSON>.self, takes: .json(LimitHandlers.limitMembers),
                with: [.ifMatch], summary: "Set a workspace's hourly limit, or let the plan's hold again",
                limits.setWorkspaceLimit),
            .operatorWrite(
                .put, "/operator/v1/workspaces/{workspace}/plan", for: .writeWorkspaces,
                returns: Success<WorkspaceRecordJSON>.self, takes: .json(LimitHandlers.planMembers),
                with: [.ifMatch], summary: "Move a workspace to a plan, for good or until a time", limits.setPlan),
        ]
    }

    /// The operator API: plans, look-ups, portal links, batches.
    private static func operatorOthers(_ edge: RouteHandlers) -> [Route] {
        let (workspaces, lookups) = (edge.workspaces, edge.lookups)
        return [
            .operatorToken(
                .post, "/operator/v1/introspect", for: .introspect, returns: IntrospectionJSON.self,
                takes: .form(IntrospectionHandlers.inputs), summary: "Ask whether a Secret Key may pass (RFC 7662)",
                edge.operators.introspect),
            .operatorToken(
                .get, "/operator/v1/users/{user}/usage", for: .readUsage, returns: Success<UsageJSON>.self,
                with: Endpoint.Parameter.usage, summary: "Get what a user's requests came to", edge.usage.ofUser),
            .operatorToken(
                .get, "/operator/v1/plans", for: .readWorkspaces, returns: CursorPage<PlanJSON>.self,
                with: Endpoint.Parameter.cursor, summary: "List the catalogue of plans", workspaces.plans),
            .operatorToken(
                .get, "/operator/v1/plans/{plan}", for: .readWorkspaces, returns: Success<PlanJSON>.self,
                summary: "Get a plan", workspaces.plan),
            .operatorWrite(
                .put, "/operator/v1/plans/{plan}", for: .writePlans, returns: Success<PlanJSON>.self,
                takes: .json(WorkspaceHandlers.catalogueMembers), summary: "Add a plan or replace one",
                workspaces.putPlan),
            .operatorWrite(
                .delete, "/operator/v1/plans/{plan}", for: .writePlans, returns: NoContent.self, takes: .emptyObject,
                summary: "Delete a plan that no workspace is on", workspaces.deletePlan),
            .operatorToken(
                .post, "/operator/v1/keys/lookup", for: .lookUpKeys, returns: Success<KeyOwnerJSON>.self,
                takes: .json(KeyLookupHandlers.members), namesOthers: true, summary: "Find whose a key is",
                lookups.lookUp),
            .operatorToken(
                .get, "/operator/v1/audit", for: .readAudit, returns: CursorPage<AuditEventJSON>.self,
                with: KeyLookupHandlers.auditFilters, namesOthers: true, summary: "List what was done", lookups.audit),
            .operatorToken(
                .post, "/operator/v1/portal-links", for: .portal, returns: Success<PortalLinkJSON>.self,
                takes: .json(PortalLinkHandlers.members), with: [.idempotencyKey], namesOthers: true,
                summary: "Make a link that signs a user in", edge.portalLinks.create),
            .operatorToken(
                .post, "/operator/v1/bulk/regenerate", for: .regenerateKeys, returns: Success<BulkJSON>.self,
                takes: .json(BulkHandlers.members), with: [.idempotencyKey],
                summary: "Replace the keys of all users of a filter", edge.bulk.regenerate),
            .operatorToken(
                .post, "/operator/v1/bulk/disable", for: .writeUsers, returns: Success<BulkJSON>.self,
                takes: .json(BulkHandlers.members), with: [.idempotencyKey],
                summary: "Disable all users of a filter", edge.bulk.disable),
            .operatorToken(
                .post, "/operator/v1/bulk/end-sessions", for: .writeUsers, returns: Success<BulkJSON>.self,
                takes: .json(BulkHandlers.members), with: [.idempotencyKey],
                summary: "End the sessions of all users of a filter", edge.bulk.endSessions),
            .operatorBatch(
                "/operator/v1/batch", returns: Success<BatchJSON>.self,
                takes: .json(BatchHandler.members, upTo: 1_024 * 1_024), summary: "Do many things in one request"),
        ]
    }

    /// The dashboard.
    private static func pages(_ edge: RouteHandlers) -> [Route] {
        [
            .anyone(.get, Routes.stylesheet, edge.assets.stylesheet),
            .anyone(.get, "/assets/dashboard.js", edge.assets.script),
            .anyone(.get, DashboardAssets.brandStylesheetPath, edge.assets.brandStylesheet),
            .anyone(.get, DashboardAssets.logoPath, edge.assets.logo),
            .anyone(.get, Routes.reference, edge.reference.page),
            .anyone(.get, "/sign-in", edge.signIn.signInPage),
            .anyone(.post, "/sign-in", edge.signIn.signIn),
            .anyone(.get, Routes.signInCode, edge.signIn.codePage),
            .anyone(.post, Routes.signInCode, edge.signIn.enterCode),
            .anyone(.get, "/sign-up", edge.signIn.signUpPage),
            .anyone(.post, "/sign-up", edge.signIn.signUp),
            .anyone(.get, Routes.signInWithProvider, edge.identities.begin),
            .anyone(.get, Routes.providerCallback, edge.identities.callback),
            .session(.get, Routes.linkIdentity, edge.identities.linkPage),
            .session(.post, Routes.linkIdentity, edge.identities.link),
            .anyone(.get, Routes.portal, edge.portal.page),
            .anyone(.post, Routes.portal, edge.portal.open),

            .session(.get, "/", inPortal: PortalSection.all, edge.keyPages.key.home),
            .session(.get, "/confirm", inPortal: PortalSection.all, edge.signIn.confirmPage),
            .session(.post, "/confirm", edge.signIn.confirm),
            .session(.post, "/sign-out", inPortal: PortalSection.all, edge.signIn.signOut),
            .workspace(.post, "/plan", does: .changePlan, edge.keyPages.key.switchPlan),
            .workspace(.get, "/activity", does: .viewActivity, edge.activity.workspacePage),
            .workspace(.get, "/activity/export", does: .viewActivity, edge.activity.workspaceFile),
            .session(.get, "/account", edge.account.page),
            .session(.get, "/account/activity", edge.activity.accountPage),
            .session(.get, "/account/activity/export", edge.activity.accountFile),
            .session(.post, "/account/password", edge.account.changePassword),
            .session(.post, "/account/sessions/{sessionID}/end", edge.account.endSession),
            .session(.post, "/account/identities/{identityID}/disconnect", edge.account.disconnect),
            .session(.get, Routes.secondFactor, edge.secondFactor.page),
            .session(.post, Routes.secondFactor, edge.secondFactor.turnOn),
            .session(.post, Routes.secondFactor + "/recovery-codes", edge.secondFactor.replaceCodes),
            .session(.post, Routes.secondFactor + "/remove", edge.secondFactor.turnOff),
        ]
    }

    /// The description of the routes that a listener serves, for programs and for people.
    static let document = "/openapi.json"
    static let reference = "/docs"
    /// What a page looks like.
    static let stylesheet = "/assets/dashboard.css"
    /// Where a sign-in asks for the code of an authenticator app.
    static let signInCode = "/sign-in/code"
    /// Where such an app is set up.
    static let secondFactor = "/account/second-factor"
    /// Where a browser begins to sign in with the provider, and where it comes back to.
    static let signInWithProvider = "/sign-in/oidc"
    static let providerCallback = "/sign-in/oidc/callback"
    /// Where an account is connected with who somebody is at the provider.
    static let linkIdentity = "/sign-in/oidc/link"
    /// Where the product's users come in by a link.
    static let portal = "/portal"
    /// Where the operator API begins.
    static let operatorRoot = "/operator/v1"
    /// It tells its caller the new key, so a thief too: it exists where the setting `regenerate-by-key` opens it.
    static let regenerateByKey = "/api/v1/key/regenerate"
}
