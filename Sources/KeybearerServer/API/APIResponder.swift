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
        to original: Exchange, entry: RouteTable.Entry?, route: Route?, reading bodies: BodyReader
    ) async -> APIAnswer {
        var exchange = original
        let credentials = BearerCredentials(exchange.fields)
        var scope = AccessScope.anyWorkspace
        var problem: KeybearerError?
        do {
            scope = try Self.scope(of: exchange, route: route ?? entry?.routes.values.first)
        } catch {
            problem = error
        }
        if case .key(_, .awaiting) = route?.access {
            // What is known to be bad keeps nobody reading; everything else is decided behind the body's last byte.
            guard case .token(let token) = credentials, !node.verifier.isKnownBad(token, now: clocks.steady()) else {
                return unauthorized(exchange, credentials)
            }
            let bodyProblem = await bodies.read(into: &exchange)
            problem = problem ?? bodyProblem
        }
        switch await admit(credentials, of: exchange, scope: scope) {
        case .refused(let answer): return answer
        case .admitted(let account, let rateLimit):
            var answer: APIAnswer
            if let problem {
                // A request that is malformed beyond its key is told so only when the key passes.
                answer = failure(problem, of: exchange)
            } else if case .key(_, .awaiting(let handler)) = route?.access {
                do {
                    answer = try await handler(exchange, account, rateLimit)
                } catch {
                    answer = failure(error, of: exchange)
                }
            } else {
                answer = answerNow(exchange, entry: entry, route: route, account: account, rateLimit: rateLimit)
            }
            answer.headers.addRateLimit(rateLimit, now: clocks.wall())
            return answer
        }
    }

    /// What became of a request's key.
    enum Admission {
        case admitted(CachedAccount, RateLimitStatus)
        case refused(APIAnswer)
    }

    /// Decides about the key of a request, with the store's help where memory cannot tell.
    func admit(_ credentials: BearerCredentials, of exchange: Exchange, scope: AccessScope) async -> Admission {
        guard case .token(let token) = credentials else { return .refused(unauthorized(exchange, credentials)) }
        let verdict = await node.verifier.verdict(for: token, scope: scope, from: exchange.client)
        guard case .admitted(let account, let rateLimit) = verdict else {
            return .refused(refusal(verdict, exchange: exchange, credentials: credentials))
        }
        return .admitted(account, rateLimit)
    }

    /// Answers from memory alone; nil where the store is needed, and then nothing was counted.
    func respondNow(to exchange: Exchange, entry: RouteTable.Entry, route: Route) -> APIAnswer? {
        guard case .key(_, .memory) = route.access else { return nil }
        let credentials = BearerCredentials(exchange.fields)
        guard case .token(let token) = credentials else { return unauthorized(exchange, credentials) }
        guard let scope = try? Self.scope(of: exchange, route: route) else { return nil }
        // The clocks are read here, after the request was read: see Verifier.verify.
        let verdict = node.verifier.cachedVerdict(
            for: token, scope: scope, from: exchange.client, now: clocks.steady(), wall: clocks.wall())
        if case .needsStore = verdict { return nil }
        guard case .admitted(let account, let rateLimit) = verdict else {
            return refusal(verdict, exchange: exchange, credentials: credentials)
        }
        var answer = answerNow(exchange, entry: entry, route: route, account: account, rateLimit: rateLimit)
        answer.headers.addRateLimit(rateLimit, now: clocks.wall())
        return answer
    }

    /// Everything that needs no waiting: what memory holds, and what a path or a method that is not there comes to.
    private func answerNow(
        _ exchange: Exchange, entry: RouteTable.Entry?, route: Route?, account: CachedAccount,
        rateLimit: RateLimitStatus
    ) -> APIAnswer {
        guard let entry else {
            return failure(KeybearerError(.notFound, "There is nothing at this path."), of: exchange)
        }
        if exchange.request.method == .options {
            return APIAnswer(status: .noContent, headers: [.allow: entry.allow])
        }
        if case .key(_, .memory(let handler)) = route?.access {
            do {
                return try handler(exchange, account, rateLimit)
            } catch {
                return failure(error, of: exchange)
            }
        }
        var answer = failure(
            KeybearerError(.methodNotAllowed, "This path does not answer \(exchange.request.method.rawValue)."),
            of: exchange)
        answer.headers[.allow] = entry.allow
        return answer
    }

    /// What the request names. The path is more exact than the header; where both stand they must agree. Where the
    /// workspace decides nothing, the header is not looked at: whoever ends a leaked key is asked for nothing else.
    private static func scope(of exchange: Exchange, route: Route?) throws(KeybearerError) -> AccessScope {
        guard case .key(let scope, _) = route?.access else { return try namedScope(exchange) }
        switch scope {
        case .header: return try namedScope(exchange)
        case .accountOnly: return .accountOnly
        case .keyAlone: return .keyAlone
        case .path(let parameter):
            let named = try namedWorkspace(exchange)
            guard let id = exchange.parameters[parameter].flatMap({ WorkspaceID(parsing: $0) }) else {
                throw KeybearerError(.notFound, "There is no such workspace, or it is not yours.")
            }
            if let named, named != id {
                throw KeybearerError(.badRequest, "X-Workspace-Id and the path name different workspaces.")
            }
            return .workspace(id)
        }
    }

    private static func namedScope(_ exchange: Exchange) throws(KeybearerError) -> AccessScope {
        try namedWorkspace(exchange).map { .workspace($0) } ?? .anyWorkspace
    }

    private static func namedWorkspace(_ exchange: Exchange) throws(KeybearerError) -> WorkspaceID? {
        var named: WorkspaceID?
        for field in exchange.fields where field.name == FieldName.workspaceID {
            guard named == nil, let id = WorkspaceID(parsing: field.value) else {
                throw KeybearerError(.badRequest, "X-Workspace-Id must be one workspace id.")
            }
            named = id
        }
        return named
    }

    private func refusal(_ verdict: Verdict, exchange: Exchange, credentials: BearerCredentials) -> APIAnswer {
        guard let refusal = Refusal(verdict) else { return failure(KeybearerError.unavailable(), of: exchange) }
        var answer = failure(refusal.error, of: exchange)
        if refusal.error.code == .unauthorized { answer.headers[.wwwAuthenticate] = credentials.challenge }
        if let rateLimit = refusal.rateLimit {
            answer.headers.addRateLimit(
                rateLimit, now: clocks.wall(), isRefused: refusal.error.code == .rateLimited)
        }
        return answer
    }

    private func unauthorized(_ exchange: Exchange, _ credentials: BearerCredentials) -> APIAnswer {
        var answer = failure(KeybearerError(.unauthorized, Refusal.unauthorizedMessage), of: exchange)
        answer.headers[.wwwAuthenticate] = credentials.challenge
        return answer
    }

    /// Any failure in the envelope. What is not a ``KeybearerError`` becomes `INTERNAL_ERROR` and goes to the log.
    func failure(_ error: any Error, of exchange: Exchange) -> APIAnswer {
        let known = error as? KeybearerError ?? KeybearerError(.internalError, "Something went wrong.", cause: error)
        if known.isLogged {
            logger.error(
                "A request failed.",
                metadata: [
                    "request": "\(exchange.requestID)", "code": "\(known.code.rawValue)",
                    "cause": "\(known.cause.map { String(reflecting: $0) } ?? "none")",
                ])
        }
        let body = Envelope.failure(
            known.code, message: known.message, fields: known.fields, requestID: exchange.requestID)
        var answer = APIAnswer.json(body, status: known.code.status)
        // A key that ended while its request was being answered.
        if known.code == .unauthorized { answer.headers[.wwwAuthenticate] = BearerCredentials.refusedChallenge }
        if let wait = known.retryAfter { answer.headers[.retryAfter] = String(wait.secondsRoundedUp) }
        return answer
    }
}
