import HTTPTypes

@testable import Keybearer
@testable import KeybearerServer

/// A route that changes something, as a thief asks for it.
struct WalkRoute: Sendable {
    /// `POST /sign-in`.
    let name: String
    /// What its transaction is audited as; nil where it has none of its own.
    let action: AuditEvent.Action?
    /// How its authority can end.
    let ends: [AuthorityEnd]
    let request: @Sendable (WalkSubject) -> WireRequest
    /// Whether the server should know the key already, as it does when a thief has used it.
    var isByKey = false
    /// Whether others are in the subject's workspace, and it is invited to another one.
    var hasTeam = false
    /// Whether the account has an authenticator app.
    var needsSecondFactor = false
    /// Whether the account's address is not verified.
    var isUnverified = false
    /// Whether there is a kind of event that is the subject's alone.
    var needsEventType = false

    /// The ends that are tried over a wire: all of them over HTTP/1.1. What HTTP/2 differs in is how a request is held.
    func ends(over wire: Wire) -> [AuthorityEnd] { wire == .http1 ? ends : Array(ends.prefix(1)) }

    /// The routes whose authority can end.
    static let all =
        byProgram + [adoption] + bySession + inWorkspaces + ofServiceAccounts + withWebhooks + bySecondFactor
        + byMail + [signIn]

    /// The routes that have nobody's authority, or whose effect is the end of it: `WalkStandIn` says what changes at the
    /// hold instead.
    static let standIns: Set<String> = [
        "POST /sign-up", "POST /sign-out", "POST /portal", "POST /invitations/ask", "POST /verify-email",
        "POST /reset-password",
    ]

    /// The write routes that nothing here walks.
    static func missing(from routes: [Route]) -> [String] {
        let walked = Set(all.map(\.name)).union(standIns)
        let writes = routes.filter { $0.method != .get }.map { "\($0.method.rawValue) \($0.path)" }
        return writes.filter { !walked.contains($0) }
    }

    /// What the transaction of each route that programs call is audited as. A route that is missing here is not walked,
    /// and found.
    private static let audited: [String: AuditEvent.Action?] = [
        "POST /api/v1/key/revoke": .keyRevoked,
        "POST /api/v1/key/regenerate": .keyRegenerated,
        // These change nothing, or nothing but a count, so that there is no transaction to hold.
        "POST /operator/v1/introspect": AuditEvent.Action?.none,
        "POST /operator/v1/keys/lookup": AuditEvent.Action?.none,
        "POST /operator/v1/users": .userCreated,
        "PUT /operator/v1/users/{user}": .userChanged,
        "PATCH /operator/v1/users/{user}": .userChanged,
        "DELETE /operator/v1/users/{user}": .userDeleted,
        "POST /operator/v1/users/{user}/disable": .userDisabled,
        "POST /operator/v1/users/{user}/enable": .userEnabled,
        "POST /operator/v1/users/{user}/end-sessions": .sessionEnded,
        "POST /operator/v1/users/{user}/second-factor/reset": .secondFactorRemoved,
        "POST /operator/v1/users/{user}/key/reveal": .keyRevealed,
        "POST /operator/v1/users/{user}/key/regenerate": .keyRegenerated,
        "POST /operator/v1/workspaces": .workspaceCreated,
        "PUT /operator/v1/workspaces/{workspace}": .workspaceChanged,
        "PATCH /operator/v1/workspaces/{workspace}": .workspaceChanged,
        "DELETE /operator/v1/workspaces/{workspace}": .workspaceDeleted,
        "POST /operator/v1/workspaces/{workspace}/service-accounts": .userCreated,
        "PUT /operator/v1/workspaces/{workspace}/plan": .planChanged,
        "PUT /operator/v1/workspaces/{workspace}/limit": .workspaceLimitChanged,
        "PUT /operator/v1/users/{user}/limit": .userLimitChanged,
        "PUT /operator/v1/users/{user}/networks": .networksChanged,
        "POST /operator/v1/users/{user}/quota/reset": .windowReset,
        "POST /operator/v1/workspaces/{workspace}/suspend": .workspaceSuspended,
        "POST /operator/v1/workspaces/{workspace}/resume": .workspaceResumed,
        "PUT /operator/v1/workspaces/{workspace}/members/{user}": .memberAdded,
        "DELETE /operator/v1/workspaces/{workspace}/members/{user}": .memberRemoved,
        "PUT /operator/v1/plans/{plan}": .planPut,
        "DELETE /operator/v1/plans/{plan}": .planDeleted,
        "POST /operator/v1/batch": .userDisabled,
        "POST /operator/v1/bulk/regenerate": .keyRegenerated,
        "POST /operator/v1/bulk/disable": .userDisabled,
        "POST /operator/v1/bulk/end-sessions": .sessionEnded,
        "POST /operator/v1/portal-links": .portalLinkCreated,
    ].merging(ofWebhooks(at: "/api/v1")) { $1 }.merging(ofWebhooks(at: "/operator/v1")) { $1 }.merging([
        "PUT /operator/v1/event-types/{eventType}": .eventTypePut,
        "DELETE /operator/v1/event-types/{eventType}": .eventTypeDeleted,
        "POST /operator/v1/events": .eventsPublished, "POST /operator/v1/events/batch": .eventsPublished,
    ]) { $1 }

    private static func ofWebhooks(at root: String) -> [String: AuditEvent.Action?] {
        let one = "\(root)/webhooks/{webhookID}"
        return [
            "POST \(root)/webhooks": .webhookCreated, "PATCH \(one)": .webhookChanged, "DELETE \(one)": .webhookDeleted,
            "POST \(one)/rotate-secret": .webhookSecretRotated, "POST \(one)/test": .webhookTested,
            "POST \(one)/deliveries/{messageID}/resend": .webhookResent, "POST \(one)/replay": .webhookResent,
        ]
    }

    /// The routes that programs call, with paths, bodies and headers from the server's own list.
    private static let byProgram: [WalkRoute] = {
        let routes = (try? ServerFixture().server().makeRoutes()) ?? []
        return routes.filter { $0.method != .get }.compactMap { route in
            let name = "\(route.method.rawValue) \(route.path)"
            guard let endpoint = route.endpoint, let action = audited[name] else { return nil }
            let isByKey = if case .key = route.access { true } else { false }
            return WalkRoute(
                name: name, action: action, ends: isByKey ? AuthorityEnd.ofKeys : [.operatorTokenRevoked],
                request: { $0.request(route, endpoint, with: isByKey ? $0.key : $0.operatorToken) }, isByKey: isByKey,
                needsEventType: ["DELETE", "POST"].contains(route.method.rawValue) && route.path.contains("/event"))
        }
    }()

    /// A program that takes an account over by its address.
    private static let adoption = WalkRoute(
        name: "PUT /operator/v1/users/{user}", action: .userAdopted, ends: [.operatorTokenRevoked],
        request: {
            $0.bearer(
                $0.operatorToken, "/operator/v1/users/ext:stolen-\($0.id)", method: "PUT", type: "application/json",
                body: #"{"email":"\#($0.email)","name":"Stolen","adopt":true}"#)
        })

    private static let bySession = [
        WalkRoute(
            name: "POST /confirm", action: .sessionConfirmed,
            ends: AuthorityEnd.ofSessions + [.passwordChangedByThisSession],
            request: { $0.form("/confirm", ["password": WalkSubject.password.characters, "next": "/"]) }),
        inWorkspace("reveal", .keyRevealed, .revealKey) { subject, path in
            var request = subject.form(path)
            request.headers.append(("Accept", "application/json"))
            return request
        },
        inWorkspace("regenerate", .keyRegenerated, .regenerateKey) {
            $0.form($1, ["idempotencyKey": AuthorityEnd.guessedIdempotencyKey])
        },
        inWorkspace("try", .keyTried, .revealKey) { $0.form($1) },
        inWorkspace("networks", .networksChanged, .changeNetworks) {
            $0.form($1, ["networks": "203.0.113.0/24", "confirmed": "1"])
        },
        WalkRoute(
            name: "POST /workspaces/{workspaceID}/plan", action: .planChanged,
            ends: AuthorityEnd.ofSessions + AuthorityEnd.of(.changePlan),
            request: { $0.form("/workspaces/\($0.workspace)/plan", ["planID": "free"]) }),
        WalkRoute(
            name: "POST /account/password", action: .passwordChanged,
            ends: AuthorityEnd.ofSessions + [.passwordChangedByThisSession],
            request: {
                $0.form(
                    "/account/password",
                    [
                        "currentPassword": WalkSubject.password.characters,
                        "newPassword": "the words of a thief",
                    ])
            }),
        WalkRoute(
            name: "POST /account/sessions/{sessionID}/end", action: .sessionEnded, ends: AuthorityEnd.ofSessions,
            request: { $0.form("/account/sessions/\($0.thirdSession)/end") }),
        WalkRoute(
            name: "POST /account/identities/{identityID}/disconnect", action: .identityUnlinked,
            ends: AuthorityEnd.ofSessions,
            request: { $0.form("/account/identities/\($0.identity.reference)/disconnect") }),
        WalkRoute(
            name: "POST /sign-in/oidc/link", action: .identityLinked, ends: AuthorityEnd.ofSessions,
            request: { $0.linkForm }),
    ]

    /// What members do with a workspace.
    private static let inWorkspaces = [
        WalkRoute(
            name: "POST /workspaces", action: .workspaceCreated, ends: AuthorityEnd.ofSessions,
            request: { $0.form("/workspaces", ["name": "Stolen"]) }),
        ofWorkspace("members/{userID}/role", .memberRoleChanged, .manageMembers) { _ in ["role": "admin"] },
        ofWorkspace("members/{userID}/remove", .memberRemoved, .manageMembers) { _ in [:] },
        ofWorkspace("leave", .memberRemoved, .leaveWorkspace) { _ in [:] },
        ofWorkspace("invitations", .invitationCreated, .inviteMembers) {
            ["email": "thief.\($0.email)", "role": "admin"]
        },
        ofWorkspace("invitations/{invitationID}/withdraw", .invitationWithdrawn, .inviteMembers) { _ in [:] },
        ofWorkspace("invitations/{invitationID}/withdraw", .invitationRequestDismissed, .inviteMembers) { _ in
            ["request": "1"]
        },
        WalkRoute(
            name: "POST /invitations/accept", action: .invitationAccepted, ends: AuthorityEnd.ofSessions,
            request: { $0.form("/invitations/accept", ["code": $0.team.code]) }, hasTeam: true),
        ofWorkspace("rename", .workspaceChanged, .renameWorkspace) { _ in ["name": "Stolen"] },
        ofWorkspace("default", .userChanged, .openWorkspace) { _ in [:] },
        ofWorkspace("delete", .workspaceDeleted, .deleteWorkspace) {
            ["name": $0.account.workspaces[0].workspace.name]
        },
    ]

    /// What members do with the service accounts of a workspace.
    private static let ofServiceAccounts = [
        ofWorkspace("service-accounts", .userCreated, .manageServiceAccounts) { _ in ["name": "Stolen"] },
        ofServiceAccount("reveal", .keyRevealed, .revealServiceKey),
        ofServiceAccount("regenerate", .keyRegenerated, .regenerateServiceKey) {
            _ in ["idempotencyKey": AuthorityEnd.guessedIdempotencyKey]
        },
        ofServiceAccount("try", .keyTried, .revealServiceKey),
        ofServiceAccount("networks", .networksChanged, .changeServiceNetworks) {
            _ in ["networks": "203.0.113.0/24", "confirmed": "1"]
        },
        ofServiceAccount("rename", .userChanged, .manageServiceAccounts) { _ in ["name": "Stolen"] },
        ofServiceAccount("disable", .userDisabled, .manageServiceAccounts),
        ofServiceAccount("enable", .userEnabled, .manageServiceAccounts),
        ofServiceAccount("delete", .userDeleted, .manageServiceAccounts),
    ]

    /// What members do with the webhooks of a workspace.
    private static let withWebhooks = [
        ofWorkspace("webhooks", .webhookCreated, .manageWebhooks) { _ in webhookForm },
        ofWebhook("", .webhookChanged, .manageWebhooks) { _ in webhookForm },
        ofWebhook("/rotate-secret", .webhookSecretRotated, .manageWebhooks),
        ofWebhook("/enable", .webhookChanged, .manageWebhooks), ofWebhook("/disable", .webhookChanged, .stopWebhooks),
        ofWebhook("/delete", .webhookDeleted, .stopWebhooks), ofWebhook("/test", .webhookTested, .manageWebhooks),
        ofWebhook("/replay", .webhookResent, .manageWebhooks) { _ in
            ["since": "2026-01-01", "until": "2099-01-01"]
        },
        ofWebhook("/deliveries/{messageID}/resend", .webhookResent, .manageWebhooks),
        // It looks at a sample, and changes nothing.
        WalkRoute(
            name: "POST /workspaces/{workspaceID}/webhooks/{webhookID}/verify", action: nil, ends: [],
            request: { $0.form("/workspaces/\($0.workspace)/webhooks/\($0.webhook)/verify") }),
    ]

    private static let webhookForm = ["name": "Stolen", "url": "https://192.0.2.66/stolen", "all": "1"]

    private static func ofWebhook(
        _ what: String, _ audited: AuditEvent.Action, _ action: Action,
        _ form: @escaping @Sendable (WalkSubject) -> [String: String] = { _ in [:] }
    ) -> WalkRoute {
        ofWorkspace("webhooks/{webhookID}\(what)", audited, action, form)
    }

    private static func ofServiceAccount(
        _ what: String, _ audited: AuditEvent.Action, _ action: Action,
        _ form: @escaping @Sendable (WalkSubject) -> [String: String] = { _ in [:] }
    ) -> WalkRoute {
        ofWorkspace("service-accounts/{userID}/\(what)", audited, action, form)
    }

    /// A form of a workspace.
    private static func ofWorkspace(
        _ what: String, _ audited: AuditEvent.Action, _ action: Action,
        _ form: @escaping @Sendable (WalkSubject) -> [String: String]
    ) -> WalkRoute {
        WalkRoute(
            name: "POST /workspaces/{workspaceID}/\(what)", action: audited,
            ends: AuthorityEnd.ofSessions + AuthorityEnd.of(action),
            request: { subject in
                let path = "/workspaces/\(subject.workspace)/\(what)"
                    .replacing(
                        "service-accounts/{userID}", with: "service-accounts/\(subject.team.serviceAccount)"
                    )
                    .replacing("{userID}", with: subject.team.colleague.rawValue)
                    .replacing("{invitationID}", with: subject.team.invitation.rawValue)
                    .replacing("{webhookID}/enable", with: "\(subject.disabledWebhook)/enable")
                    .replacing("{webhookID}", with: subject.webhook.rawValue)
                    .replacing("{messageID}", with: subject.message.rawValue)
                return subject.form(path, form(subject))
            }, hasTeam: what.contains("{") && !what.contains("{webhookID}"))
    }

    /// Of an account with an authenticator app, but the first, which sets one up.
    private static let bySecondFactor = [
        WalkRoute(
            name: "POST /account/second-factor", action: .secondFactorAdded, ends: AuthorityEnd.ofSessions,
            request: {
                let app = OneTimePassword(secret: Array("a thief's own secret".utf8))
                let code = app.code(at: OneTimePassword.step(at: Clocks.system.wall()))
                return $0.form("/account/second-factor", ["secret": app.text, "code": code])
            }),
        WalkRoute(
            name: "POST /sign-in", action: .codeAsked, ends: AuthorityEnd.ofSignIns,
            request: {
                $0.openForm("/sign-in", ["email": $0.email, "password": WalkSubject.password.characters])
            }, needsSecondFactor: true),
        changing("recovery-codes", .recoveryCodesReplaced),
        changing("remove", .secondFactorRemoved),
        WalkRoute(
            name: "POST /sign-in/code", action: .sessionStarted,
            ends: AuthorityEnd.ofSignIns + [.secondFactorReset], request: { $0.codeForm }, needsSecondFactor: true),
    ]

    /// What sends links by mail.
    private static let byMail = [
        WalkRoute(
            name: "POST /account/email", action: .emailChangeAsked, ends: AuthorityEnd.ofSessions,
            request: { $0.form("/account/email", ["email": "thief.\($0.email)"]) }),
        WalkRoute(
            name: "POST /account/email/verify", action: .emailVerificationAsked, ends: AuthorityEnd.ofSessions,
            request: { $0.form("/account/email/verify") }, isUnverified: true),
        WalkRoute(
            name: "POST /account/email/confirm", action: .emailVerified, ends: AuthorityEnd.ofSessions,
            request: { $0.form("/account/email/confirm", ["code": $0.verifyCode]) }, isUnverified: true),
        // Whoever asks needs nothing, and nothing ends that: the link goes to the account's own address.
        WalkRoute(
            name: "POST /forgot-password", action: nil, ends: [],
            request: { $0.openForm("/forgot-password", ["email": $0.email]) }),
    ]

    private static func changing(_ what: String, _ action: AuditEvent.Action) -> WalkRoute {
        WalkRoute(
            name: "POST /account/second-factor/\(what)", action: action,
            ends: AuthorityEnd.ofSessions + [.secondFactorReset],
            request: { $0.form("/account/second-factor/\(what)", ["code": $0.recoveryCode]) },
            needsSecondFactor: true)
    }

    private static func inWorkspace(
        _ what: String, _ audited: AuditEvent.Action, _ action: Action,
        _ request: @escaping @Sendable (WalkSubject, String) -> WireRequest
    ) -> WalkRoute {
        WalkRoute(
            name: "POST /workspaces/{workspaceID}/api-webhooks/\(what)", action: audited,
            ends: AuthorityEnd.ofSessions + AuthorityEnd.of(action),
            request: { request($0, "/workspaces/\($0.workspace)/api-webhooks/\(what)") })
    }

    private static let signIn = WalkRoute(
        name: "POST /sign-in", action: .sessionStarted, ends: AuthorityEnd.ofSignIns,
        request: {
            $0.openForm("/sign-in", ["email": $0.email, "password": WalkSubject.password.characters])
        })
}

extension WalkSubject {
    /// A program's request to one of its routes, with everything that it needs.
    fileprivate func request(_ route: Route, _ endpoint: Endpoint, with token: String) -> WireRequest {
        let body =
            switch endpoint.body {
            case .nothing: ""
            case .emptyObject, .optionalJSON: "{ }"
            case .form(let inputs):
                inputs.filter(\.isRequired).map { $0.name + "=" + ($0.name == "token" ? key : "x") }
                    .joined(separator: "&")
            case .json(let members, _):
                "{"
                    + members.filter { $0.isRequired || needed(by: route).contains($0.name) }.map {
                        "\"\($0.name)\":\(value(of: $0.name))"
                    }
                    .joined(separator: ",") + "}"
            }
        let event = #"{"id":"stolen","type":"\#(eventType)","workspace":"\#(workspace)","object":{}}"#
        let path = route.path.replacing("{workspaceID}", with: workspace.rawValue)
            .replacing("{workspace}", with: workspace.rawValue).replacing("{user}", with: id.rawValue)
            .replacing("{plan}", with: "stolen").replacing("{webhookID}", with: webhook.rawValue)
            .replacing("{messageID}", with: message.rawValue).replacing("{eventType}", with: eventType.rawValue)
        var request = bearer(
            token, path, method: route.method.rawValue, type: endpoint.body.mediaType ?? "",
            body: route.path == "/operator/v1/events"
                ? event
                : body.replacing(
                    "\"events\":[\"*\"]",
                    with: route.path.hasSuffix("/batch") && route.path.contains("/events")
                        ? "\"events\":[\(event)]" : "\"events\":[\"*\"]"))
        if endpoint.parameters.contains(where: { $0.name == HeaderName.idempotencyKey.rawName }) {
            request.headers.append((HeaderName.idempotencyKey.rawName, AuthorityEnd.guessedIdempotencyKey))
        }
        return request
    }

    /// Members without which a request changes nothing, although they are not required.
    private func needed(by route: Route) -> Set<String> {
        switch (route.method, route.path) {
        case (.post, "/api/v1/webhooks"): ["workspaceId"]
        case (.patch, let path) where path.hasSuffix("/webhooks/{webhookID}"): ["name"]
        default: []
        }
    }

    /// What a thief sends for a member of a JSON object.
    private func value(of name: String) -> String {
        switch name {
        case "email": "\"thief.\(email)\""
        case "token": "\"\(key)\""
        case "owner", "user": "\"\(id.rawValue)\""
        case "role": "\"admin\""
        case "plan": "\"free\""
        case "filter": #"{"workspace":"\#(workspace.rawValue)"}"#
        case "dryRun": "false"
        case "features": "[\"api_webhooks\"]"
        case "networks": "[\"203.0.113.0/24\"]"
        case "hourlyLimit": "1000000"
        case "position": "9"
        case "url": "\"https://192.0.2.66/stolen\""
        case "workspaceId": "\"\(workspace)\""
        case "events": "[\"*\"]"
        case "since": "\"2026-01-01T00:00:00Z\""
        case "until": "\"2099-01-01T00:00:00Z\""
        case "operations": #"[{"method":"POST","path":"/users/\#(id.rawValue)/disable"}]"#
        default: "\"stolen\""
        }
    }
}
