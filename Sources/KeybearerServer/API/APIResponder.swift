import HTTPTypes
import HummingbirdCore
import Keybearer
import Logging

/// Answers `/api/*`: the key first, then plan and budget, then the path and the method, then the handler.
struct APIResponder: Sendable {
    let node: Node
    let clocks: Clocks
    let logger: Logger
    var challenges = Challenges()
    var metrics: VerdictMetrics?

    /// A request that memory could not decide, with all that was parsed of it.
    struct PendingRequest: Sendable {
        let context: RequestContext
        let matched: RouteTable.MatchedPath
        let route: Route
        let admission: Admission
        let need: StoreNeed
        /// When its last byte had been read.
        let begun: SteadyTime
    }

    /// What became of a request on its connection's event loop.
    enum ImmediateResponse: Sendable {
        case response(APIResponse)
        /// Nothing was counted: the store must be asked.
        case pending(PendingRequest)
        /// It is nothing that is answered here.
        case notHere
    }

    /// Answers with the store's help where memory cannot tell.
    func respond(
        to original: RequestContext, matched: RouteTable.MatchedPath?, route: Route?, reading bodies: BodyReader
    ) async -> APIResponse {
        var context = original
        var admission = Self.admission(of: context, route: route ?? matched?.routes.values.first)
        if case .key(_, .awaiting) = route?.access {
            // What is known to be bad keeps nobody reading; everything else is decided behind the body's last byte.
            guard case .token(let token) = admission.credentials,
                !node.verifier.isKnownBad(token, from: admission.client, now: clocks.steady())
            else {
                metrics?.record(.unauthorized, since: clocks.steady())
                context.logged?.decided(.unauthorized)
                return refusal(Refusal(.unauthorized, of: admission.credentials, from: admission.client), of: context)
            }
            let bodyProblem = await bodies.read(into: &context)
            // What is wrong with the head is told first.
            if admission.problem == nil { admission.problem = bodyProblem }
        }
        let begun = clocks.steady()
        let verdict = await admission.verdict(by: node.verifier) { original.clientName }
        metrics?.record(verdict, since: begun)
        context.logged?.decided(verdict)
        switch admission.outcome(of: verdict) {
        case .refused(let refusal): return self.refusal(refusal, verdict, of: admission, context)
        case .admitted(let account, let rateLimit):
            var response: APIResponse
            if case .key(_, .awaiting(let handler)) = route?.access {
                do {
                    response = try await RequestOrigin.$current.withValue(context.origin) {
                        try await handler(context, account, rateLimit)
                    }
                } catch {
                    response = failure(error, of: context)
                }
            } else {
                response = respondNow(context, matched: matched, route: route, account: account, rateLimit: rateLimit)
            }
            response.headers.addRateLimit(rateLimit, now: clocks.wall())
            return response
        }
    }

    /// Answers from memory alone, or hands back what the store must be asked.
    func respondNow(to context: RequestContext, matched: RouteTable.MatchedPath, route: Route) -> ImmediateResponse {
        guard case .key(_, .memory) = route.access else { return .notHere }
        let admission = Self.admission(of: context, route: route)
        // The clocks are read here, after the request was read: see Verifier.
        let now = clocks.steady()
        let verdict = admission.cachedVerdict(by: node.verifier, now: now, wall: clocks.wall()) { context.clientName }
        metrics?.record(verdict, since: now)
        context.logged?.decided(verdict)
        if case .needsStore(let need) = verdict {
            return .pending(
                PendingRequest(
                    context: context, matched: matched, route: route, admission: admission, need: need, begun: now))
        }
        return .response(respond(verdict, of: admission, context, matched, route))
    }

    /// Decides a request with the store's help.
    func verdictFromStore(_ pending: PendingRequest) async -> Verdict {
        await pending.admission.verdictFromStore(
            by: node.verifier, for: pending.need, userAgent: pending.context.clientName)
    }

    /// Answers a request that had to wait for its verdict.
    func respond(to pending: PendingRequest, _ verdict: Verdict) -> APIResponse {
        metrics?.record(verdict, since: pending.begun)
        pending.context.logged?.decided(verdict)
        return respond(verdict, of: pending.admission, pending.context, pending.matched, pending.route)
    }

    private func respond(
        _ verdict: Verdict, of admission: Admission, _ context: RequestContext, _ matched: RouteTable.MatchedPath,
        _ route: Route
    ) -> APIResponse {
        switch admission.outcome(of: verdict) {
        case .refused(let refusal): return self.refusal(refusal, verdict, of: admission, context)
        case .admitted(let account, let rateLimit):
            var response = respondNow(context, matched: matched, route: route, account: account, rateLimit: rateLimit)
            response.headers.addRateLimit(rateLimit, now: clocks.wall())
            return response
        }
    }

    /// Everything that needs no waiting: what memory holds, and what a path or a method that is not there comes to.
    private func respondNow(
        _ context: RequestContext, matched: RouteTable.MatchedPath?, route: Route?, account: CachedAccount,
        rateLimit: RateLimitStatus
    ) -> APIResponse {
        guard let matched else {
            return failure(KeybearerError(.notFound, "There is nothing at this path."), of: context)
        }
        if context.request.method == .options {
            return APIResponse(status: .noContent, headers: [.allow: matched.allow])
        }
        if case .key(_, .memory(let handler)) = route?.access {
            do {
                return try handler(context, account, rateLimit)
            } catch {
                return failure(error, of: context)
            }
        }
        var response = failure(
            KeybearerError(.methodNotAllowed, "This path does not answer \(context.request.method.rawValue)."),
            of: context)
        response.headers[.allow] = matched.allow
        return response
    }

    /// What a request presents. Where the workspace decides nothing, the header is not looked at: whoever ends a leaked
    /// key is asked for nothing else.
    private static func admission(of context: RequestContext, route: Route?) -> Admission {
        Admission(BearerCredentials(context.headers), from: context.client) { () throws(KeybearerError) in
            var path: String?
            if case .key(let scope, _) = route?.access {
                switch scope {
                case .header: break
                case .accountOnly: return .accountOnly
                case .keyAlone: return .keyAlone
                case .path(let parameter): path = context.parameters[parameter] ?? ""
                }
            }
            return try Admission.scope(field: try Admission.workspace(in: context.headers), path: path)
        }
    }

    /// The response to a verdict that refuses; the holder of the key sees it too.
    private func refusal(
        _ refusal: Refusal, _ verdict: Verdict, of admission: Admission, _ context: RequestContext
    ) -> APIResponse {
        admission.record(verdict, by: node.verifier, at: clocks.wall(), requestID: context.requestID)
        return self.refusal(refusal, of: context)
    }

    /// The response to what may not pass.
    func refusal(_ refusal: Refusal, of context: RequestContext) -> APIResponse {
        var response = failure(refusal.error, of: context)
        if let challenge = refusal.challenge { response.headers[.wwwAuthenticate] = challenges.key(challenge) }
        if let rateLimit = refusal.rateLimit {
            response.headers.addRateLimit(
                rateLimit, now: clocks.wall(), isRefused: refusal.error.code == .rateLimited)
        }
        return response
    }

    /// Any failure in the envelope. What is not a ``KeybearerError`` becomes `INTERNAL_ERROR` and goes to the log.
    func failure(_ error: any Error, of context: RequestContext) -> APIResponse {
        let known = error as? KeybearerError ?? KeybearerError(.internalError, "Something went wrong.", cause: error)
        if known.isLogged {
            logger.error(
                "A request failed.",
                metadata: [
                    "request": "\(context.requestID)", "code": "\(known.code.rawValue)",
                    "cause": "\(known.cause.map { String(reflecting: $0) } ?? "none")",
                ])
        }
        let body = Envelope.failure(
            known.code, message: known.message, fields: known.fields, requestID: context.requestID)
        var response = APIResponse.json(body, status: known.code.status)
        // A key that ended while its request was being answered.
        if known.code == .unauthorized { response.headers[.wwwAuthenticate] = challenges.refused }
        if let wait = known.retryAfter { response.headers[.retryAfter] = String(wait.secondsRoundedUp) }
        return response
    }
}
