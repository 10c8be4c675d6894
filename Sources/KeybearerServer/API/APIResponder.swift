import HTTPTypes
import HummingbirdCore
import Keybearer
import Logging

/// Answers `/api/*`: the key first, then plan and budget, then the path and the method, then the handler.
struct APIResponder: Sendable {
    let node: Node
    let clocks: Clocks
    let logger: Logger

    /// Answers with the store's help where memory cannot tell.
    func respond(
        to original: RequestContext, matched: RouteTable.MatchedPath?, route: Route?, reading bodies: BodyReader
    ) async -> APIResponse {
        var context = original
        let credentials = BearerCredentials(context.headers)
        var scope = AccessScope.anyWorkspace
        var problem: KeybearerError?
        do {
            scope = try Self.scope(of: context, route: route ?? matched?.routes.values.first)
        } catch {
            problem = error
        }
        if case .key(_, .awaiting) = route?.access {
            // What is known to be bad keeps nobody reading; everything else is decided behind the body's last byte.
            guard case .token(let token) = credentials, !node.verifier.isKnownBad(token, now: clocks.steady()) else {
                return unauthorized(context, credentials)
            }
            let bodyProblem = await bodies.read(into: &context)
            problem = problem ?? bodyProblem
        }
        switch await admit(credentials, of: context, scope: scope) {
        case .refused(let response): return response
        case .admitted(let account, let rateLimit):
            var response: APIResponse
            if let problem {
                // A request that is malformed beyond its key is told so only when the key passes.
                response = failure(problem, of: context)
            } else if case .key(_, .awaiting(let handler)) = route?.access {
                do {
                    response = try await handler(context, account, rateLimit)
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

    /// What became of a request's key.
    enum Admission {
        case admitted(CachedAccount, RateLimitStatus)
        case refused(APIResponse)
    }

    /// Decides about the key of a request, with the store's help where memory cannot tell.
    func admit(_ credentials: BearerCredentials, of context: RequestContext, scope: AccessScope) async -> Admission {
        guard case .token(let token) = credentials else { return .refused(unauthorized(context, credentials)) }
        let verdict = await node.verifier.verdict(for: token, scope: scope, from: context.client)
        guard case .admitted(let account, let rateLimit) = verdict else {
            return .refused(refusal(verdict, context: context, credentials: credentials))
        }
        return .admitted(account, rateLimit)
    }

    /// Answers from memory alone; nil where the store is needed, and then nothing was counted.
    func respondNow(to context: RequestContext, matched: RouteTable.MatchedPath, route: Route) -> APIResponse? {
        guard case .key(_, .memory) = route.access else { return nil }
        let credentials = BearerCredentials(context.headers)
        guard case .token(let token) = credentials else { return unauthorized(context, credentials) }
        guard let scope = try? Self.scope(of: context, route: route) else { return nil }
        // The clocks are read here, after the request was read: see Verifier.verify.
        let verdict = node.verifier.cachedVerdict(
            for: token, scope: scope, from: context.client, now: clocks.steady(), wall: clocks.wall())
        if case .needsStore = verdict { return nil }
        guard case .admitted(let account, let rateLimit) = verdict else {
            return refusal(verdict, context: context, credentials: credentials)
        }
        var response = respondNow(context, matched: matched, route: route, account: account, rateLimit: rateLimit)
        response.headers.addRateLimit(rateLimit, now: clocks.wall())
        return response
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

    /// What the request names. The path is more exact than the header; where both stand they must agree. Where the
    /// workspace decides nothing, the header is not looked at: whoever ends a leaked key is asked for nothing else.
    private static func scope(of context: RequestContext, route: Route?) throws(KeybearerError) -> AccessScope {
        guard case .key(let scope, _) = route?.access else { return try namedScope(context) }
        switch scope {
        case .header: return try namedScope(context)
        case .accountOnly: return .accountOnly
        case .keyAlone: return .keyAlone
        case .path(let parameter):
            let named = try namedWorkspace(context)
            guard let id = context.parameters[parameter].flatMap({ WorkspaceID(parsing: $0) }) else {
                throw KeybearerError(.notFound, "There is no such workspace, or it is not yours.")
            }
            if let named, named != id {
                throw KeybearerError(.badRequest, "X-Workspace-Id and the path name different workspaces.")
            }
            return .workspace(id)
        }
    }

    private static func namedScope(_ context: RequestContext) throws(KeybearerError) -> AccessScope {
        try namedWorkspace(context).map { .workspace($0) } ?? .anyWorkspace
    }

    private static func namedWorkspace(_ context: RequestContext) throws(KeybearerError) -> WorkspaceID? {
        var named: WorkspaceID?
        for header in context.headers where header.name == HeaderName.workspaceID {
            guard named == nil, let id = WorkspaceID(parsing: header.value) else {
                throw KeybearerError(.badRequest, "X-Workspace-Id must be one workspace id.")
            }
            named = id
        }
        return named
    }

    private func refusal(_ verdict: Verdict, context: RequestContext, credentials: BearerCredentials) -> APIResponse {
        guard let refusal = Refusal(verdict) else { return failure(KeybearerError.unavailable(), of: context) }
        var response = failure(refusal.error, of: context)
        if refusal.error.code == .unauthorized { response.headers[.wwwAuthenticate] = credentials.challenge }
        if let rateLimit = refusal.rateLimit {
            response.headers.addRateLimit(
                rateLimit, now: clocks.wall(), isRefused: refusal.error.code == .rateLimited)
        }
        return response
    }

    private func unauthorized(_ context: RequestContext, _ credentials: BearerCredentials) -> APIResponse {
        var response = failure(KeybearerError(.unauthorized, Refusal.unauthorizedMessage), of: context)
        response.headers[.wwwAuthenticate] = credentials.challenge
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
        if known.code == .unauthorized { response.headers[.wwwAuthenticate] = BearerCredentials.refusedChallenge }
        if let wait = known.retryAfter { response.headers[.retryAfter] = String(wait.secondsRoundedUp) }
        return response
    }
}
