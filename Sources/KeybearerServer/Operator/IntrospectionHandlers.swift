import HTTPTypes
import Keybearer
import NIOCore

/// Introspection (RFC 7662): a program of the operator asks whether a Secret Key may pass.
struct IntrospectionHandlers: Sendable {
    let node: Node
    let clocks: Clocks
    private let metrics: VerdictMetrics?

    init(node: Node, clocks: Clocks) {
        (self.node, self.clocks) = (node, clocks)
        metrics = VerdictMetrics(.introspection, of: node, clocks: clocks)
    }

    /// `POST /operator/v1/introspect`, a form with `token`, and beside it `workspace_id` and `client_address` where the
    /// caller knows them.
    ///
    /// It decides like the gate, and counts like it: an active answer is one request of the hour. What may not pass is
    /// never active, whatever the reason, so a caller that looks at `active` alone is safe.
    @Sendable func introspect(_ request: OperatorRequest) async throws -> IntrospectionJSON {
        let context = request.context
        let form = try context.form()
        guard let text = form["token"] else { throw KeybearerError(.badRequest, "Send the key as token.") }
        // Without the client's address nothing is known of it: the caller's own is another.
        var client = IPAddress.unknown
        if let given = form["client_address"] {
            guard let address = IPAddress(zoned: given), address != .localSocket else {
                throw KeybearerError(.badRequest, "client_address must be one IP address.")
            }
            client = address
        }
        let workspace = try form["workspace_id"].map { given throws(KeybearerError) in
            try Admission.workspace(named: given, in: "workspace_id")
        }
        let token = Array(text.utf8).withUnsafeBufferPointer { PresentedToken($0) }
        var admission = Admission(
            token.map { .token($0) } ?? .malformed, scope: workspace.map { .workspace($0) } ?? .anyWorkspace,
            from: client)
        // Without the client's address all of the caller's clients would be one.
        admission.isThrottled = form["client_address"] != nil
        // The user agent is the caller's own, and says nothing of the client.
        let begun = clocks.steady()
        let verdict = await admission.verdict(by: node.verifier)
        metrics?.record(verdict, since: begun)
        switch admission.outcome(of: verdict) {
        case .admitted(let account, let rateLimit):
            return IntrospectionJSON(account, scope: admission.scope, rateLimit: rateLimit)
        case .refused(let refusal):
            admission.record(verdict, by: node.verifier, at: clocks.wall(), requestID: context.requestID)
            switch refusal.error.code {
            // Unknown tokens get this and nothing more (RFC 7662 §2.2).
            case .unauthorized: return IntrospectionJSON()
            case .unavailable: throw refusal.error
            default: return IntrospectionJSON(refusal, now: clocks.wall())
            }
        }
    }

    /// What the form holds.
    static let inputs = [
        Endpoint.FormField(name: "token", isRequired: true, description: "The Secret Key."),
        Endpoint.FormField(
            name: "workspace_id", description: "The workspace of the request, if it names one.",
            schema: WorkspaceID.schema),
        Endpoint.FormField(
            name: "client_address",
            description:
                "The client's IP address, for allowed networks and \"Last used\". Without it, a key with allowed "
                + "networks does not pass, and \"Last used\" stays as it is.",
            schema: [
                "type": "string", "anyOf": [["format": "ipv4"], ["format": "ipv6"]],
                // Every address, and so nobody's.
                "not": ["const": "::"],
            ]),
    ]
}

/// The answer's members, without an envelope; what is nil is left out.
struct IntrospectionJSON: JSONNoun, ResponseValue {
    var active = false
    /// The refusal's code and status, for a key that is live but may not pass.
    var error: String?
    var status: Int?
    var retryAfter: Int64?
    var tokenType: String?
    var sub: String?
    var kind: User.Kind?
    var username: String?
    var iat: Int64?
    var keyPrefix: String?
    var workspace: String?
    var role: String?
    var plan: String?
    var rateLimit: RateLimitJSON?

    static let noun = "Introspection"
    static let sample = IntrospectionJSON()
    static let renamed = ["tokenType": "token_type"]

    private enum CodingKeys: String, CodingKey {
        case active, error, status, retryAfter, sub, kind, username, iat, keyPrefix, workspace, role, plan, rateLimit
        case tokenType = "token_type"
    }

    static var content: ResponseContent {
        ResponseContent(status: .ok, schema: schema, nouns: nouns, example: { try Self.sample.response() })
    }

    func response() throws -> APIResponse { APIResponse.json(try JSONText.encode(self)) }

    init() {}

    init(_ refusal: Refusal, now: Timestamp) {
        error = refusal.error.code.rawValue
        status = refusal.error.code.status.code
        rateLimit = refusal.rateLimit.map { RateLimitJSON($0) }
        if refusal.error.code == .rateLimited {
            retryAfter =
                refusal.rateLimit?.secondsUntilReset(from: now)
                ?? refusal.error.retryAfter.map { Int64($0.secondsRoundedUp) }
        }
    }

    init(_ account: CachedAccount, scope: AccessScope, rateLimit: RateLimitStatus) {
        let known = account.account
        active = true
        tokenType = "Bearer"
        (sub, kind) = (known.user.id.rawValue, known.user.kind)
        // As in the identity headers: an address that nobody vouches for may be another person's.
        username = known.user.isEmailVerified ? known.user.email.rawValue : "-"
        iat = known.key.generatedAt.millisecondsSinceEpoch / 1_000
        keyPrefix = known.key.shownPrefix
        let named = account.access(to: scope)
        workspace = named?.workspace.id.rawValue
        role = named?.role.rawValue
        plan = (named?.plan ?? account.decidingPlan)?.id.rawValue
        self.rateLimit = RateLimitJSON(rateLimit)
    }
}
