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

    /// The routes whose authority can end.
    static let all = byKey + bySession + [signIn, introspect]

    /// The routes that have nobody's authority, or whose effect is the end of it: `WalkStandIn` says what changes at the
    /// hold instead.
    static let standIns: Set<String> = ["POST /sign-up", "POST /sign-out"]

    /// The write routes that nothing here walks.
    static func missing(from routes: [Route]) -> [String] {
        let walked = Set(all.map(\.name)).union(standIns)
        let writes = routes.filter { $0.method != .get }.map { "\($0.method.rawValue) \($0.path)" }
        return writes.filter { !walked.contains($0) }
    }

    private static let byKey = [
        WalkRoute(
            name: "POST /api/v1/key/revoke", action: .keyRevoked, ends: AuthorityEnd.ofKeys,
            request: { $0.bearer($0.key, "/api/v1/key/revoke", type: "application/json", body: "{ }") }, isByKey: true),
        WalkRoute(
            name: "POST /api/v1/key/regenerate", action: .keyRegenerated, ends: AuthorityEnd.ofKeys,
            request: { subject in
                var request = subject.bearer(
                    subject.key, "/api/v1/key/regenerate", type: "application/json", body: "{ }")
                request.headers.append(("Idempotency-Key", AuthorityEnd.guessedIdempotencyKey))
                return request
            }, isByKey: true),
    ]

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
    ]

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

    /// It changes nothing but a count, so that there is no transaction to hold.
    private static let introspect = WalkRoute(
        name: "POST /operator/v1/introspect", action: nil, ends: [.operatorTokenRevoked],
        request: {
            $0.bearer(
                $0.operatorToken, "/operator/v1/introspect", type: "application/x-www-form-urlencoded",
                body: "token=\($0.key)")
        })
}
