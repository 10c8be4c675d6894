import HTTPTypes
import Keybearer

/// Every path of the server.
///
/// `probe` and `anyone` are the named list of what needs no credentials; a test walks all the others.
enum Routes {
    static func all(_ edge: Handlers) -> [Route] {
        [
            .probe(.get, "/healthz", edge.probes.health),
            .probe(.get, "/readyz", edge.probes.readiness),
            .probe(.get, "/openapi.json", edge.openAPI.get),

            .key(
                .get, "/api/v1/me", returns: ProfileBytes.self, summary: "Get the key's account",
                .memory(edge.api.me)),
            .key(
                .get, "/api/v1/workspaces", returns: ListPage<WorkspaceJSON>.self, with: Endpoint.Parameter.paging,
                summary: "List the account's workspaces", .memory(edge.api.workspaces)),
            .key(
                .get, "/api/v1/workspaces/{workspaceID}", for: .path(parameter: "workspaceID"),
                returns: Success<WorkspaceJSON>.self, summary: "Get one of the account's workspaces",
                .memory(edge.api.workspace)),
            .key(
                .get, "/api/v1/key", returns: Success<KeyJSON>.self, summary: "Get the key's record, without the key",
                .memory(edge.api.key)),
            .key(
                .post, "/api/v1/key/revoke", for: .keyAlone, returns: NoContent.self, takes: .emptyObject,
                summary: "End the key that makes the request", .awaiting(edge.api.revoke)),
            .key(
                .post, Routes.regenerateByKey, for: .accountOnly, returns: Success<KeyJSON>.self, takes: .emptyObject,
                with: [.idempotencyKey], summary: "Replace the key that makes the request",
                .awaiting(edge.api.regenerate)),

            .operatorToken(
                .post, "/operator/v1/introspect", for: .introspect, returns: IntrospectionJSON.self,
                takes: .form(IntrospectionHandlers.inputs), summary: "Ask whether a Secret Key may pass (RFC 7662)",
                edge.operators.introspect),

            .anyone(.get, "/assets/dashboard.css", edge.assets.stylesheet),
            .anyone(.get, "/assets/dashboard.js", edge.assets.script),
            .anyone(.get, "/sign-in", edge.signIn.signInPage),
            .anyone(.post, "/sign-in", edge.signIn.signIn),
            .anyone(.get, "/sign-up", edge.signIn.signUpPage),
            .anyone(.post, "/sign-up", edge.signIn.signUp),

            .session(.get, "/", edge.keyPage.home),
            .session(.get, "/confirm", edge.signIn.confirmPage),
            .session(.post, "/confirm", edge.signIn.confirm),
            .session(.post, "/sign-out", edge.signIn.signOut),
            .session(.get, "/workspaces/{workspaceID}/api-webhooks", edge.keyPage.page),
            .session(.get, "/workspaces/{workspaceID}/api-webhooks/record", edge.keyPage.record),
            .session(.post, Routes.reveal, edge.keyPage.reveal),
            .session(.get, "/workspaces/{workspaceID}/api-webhooks/regenerate", edge.keyPage.regeneratePage),
            .session(.post, Routes.regenerate, edge.keyPage.regenerate),
            .session(.post, "/workspaces/{workspaceID}/plan", edge.keyPage.switchPlan),
            .session(.get, "/account", edge.account.page),
            .session(.post, "/account/password", edge.account.changePassword),
            .session(.post, "/account/sessions/{sessionID}/end", edge.account.endSession),
        ]
    }

    /// The form that shows the key.
    static let reveal = "/workspaces/{workspaceID}/api-webhooks/reveal"
    /// The form that replaces it.
    static let regenerate = "/workspaces/{workspaceID}/api-webhooks/regenerate"

    /// It tells its caller the new key, so a thief too: it exists where the setting `regenerate-by-key` opens it.
    static let regenerateByKey = "/api/v1/key/regenerate"

    /// The handlers behind the paths, a group for each part of the server.
    struct Handlers: Sendable {
        let probes: Probes
        var openAPI = OpenAPIHandlers()
        let api: APIHandlers
        let operators: IntrospectionHandlers
        let assets: AssetHandlers
        let signIn: SignInHandlers
        let keyPage: KeyPageHandlers
        let account: AccountPageHandlers
    }
}
