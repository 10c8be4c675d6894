import HTTPTypes
import Hummingbird
import Keybearer
import Logging
import NIOCore

/// Answers `/api/*`: the key first, then plan and budget, then the path and the method, then the handler.
struct APIResponder: Sendable {
    let gate: Gate
    let clocks: Clocks
    let logger: Logger

    /// Every 401 has this message, whichever check failed.
    static let unauthorizedMessage = "The Secret Key is missing or not valid."

    func respond(to exchange: Exchange, entry: RouteTable.Entry?, route: Route?) async -> Response {
        let credentials = BearerCredentials(exchange.fields)
        guard case .token(let token) = credentials else { return unauthorized(exchange, credentials) }
        let scope: AccessScope
        do {
            scope = try Self.scope(of: exchange, route: route ?? entry?.routes.values.first)
        } catch {
            return await authenticatedFailure(error, token: token, exchange: exchange, credentials: credentials)
        }
        let verdict = await decide(token, scope: scope, exchange: exchange)
        guard case .admitted(let account, let budget) = verdict else {
            return refusal(verdict, exchange: exchange, credentials: credentials)
        }
        return await handle(exchange, entry: entry, route: route, account: account, budget: budget)
    }

    private func decide(_ token: PresentedToken, scope: AccessScope, exchange: Exchange) async -> Verdict {
        // The clock is read here, after the request was read: see Verifier.verify.
        let verdict = gate.verifier.verify(
            token, scope: scope, from: exchange.client, now: clocks.steady(), wall: clocks.wall())
        guard case .needsStore = verdict else { return verdict }
        return await gate.verifier.resolve(token, scope: scope, from: exchange.client)
    }

    private func handle(
        _ exchange: Exchange, entry: RouteTable.Entry?, route: Route?, account: LiveAccount, budget: BudgetStatus
    ) async -> Response {
        var response: Response
        if let entry, exchange.request.method == .options {
            response = Response(status: .noContent, headers: [.allow: entry.allow])
        } else if let route, case .key(_, let handler) = route.access {
            do {
                response = try await handler(exchange, account, budget)
            } catch {
                response = failure(error, of: exchange)
            }
        } else if let entry {
            response = failure(
                KeybearerError(.methodNotAllowed, "This path does not answer \(exchange.request.method.rawValue)."),
                of: exchange)
            response.headers[.allow] = entry.allow
        } else {
            response = failure(KeybearerError(.notFound, "There is nothing at this path."), of: exchange)
        }
        response.headers.addRateLimit(budget, now: clocks.wall())
        return response
    }

    /// What the request names. The path is more exact than the header; where both stand they must agree.
    private static func scope(of exchange: Exchange, route: Route?) throws(KeybearerError) -> AccessScope {
        var named: WorkspaceID?
        for field in exchange.fields where field.name == FieldName.workspaceID {
            guard named == nil, let id = WorkspaceID(parsing: field.value) else {
                throw KeybearerError(.badRequest, "X-Workspace-Id must be one workspace id.")
            }
            named = id
        }
        guard case .key(let scope, _) = route?.access else { return named.map { .workspace($0) } ?? .anyWorkspace }
        switch scope {
        case .header: return named.map { .workspace($0) } ?? .anyWorkspace
        case .accountOnly: return .accountOnly
        case .path(let parameter):
            guard let id = exchange.parameters[parameter].flatMap({ WorkspaceID(parsing: $0) }) else {
                throw KeybearerError(.notFound, "There is no such workspace, or it is not yours.")
            }
            if let named, named != id {
                throw KeybearerError(.badRequest, "X-Workspace-Id and the path name different workspaces.")
            }
            return .workspace(id)
        }
    }

    /// A request that is malformed beyond its key is told so only when the key passes.
    private func authenticatedFailure(
        _ error: KeybearerError, token: PresentedToken, exchange: Exchange, credentials: BearerCredentials
    ) async -> Response {
        let verdict = await decide(token, scope: .anyWorkspace, exchange: exchange)
        guard case .admitted(_, let budget) = verdict else {
            return refusal(verdict, exchange: exchange, credentials: credentials)
        }
        var response = failure(error, of: exchange)
        response.headers.addRateLimit(budget, now: clocks.wall())
        return response
    }

    private func refusal(_ verdict: Verdict, exchange: Exchange, credentials: BearerCredentials) -> Response {
        let now = clocks.wall()
        switch verdict {
        case .unauthorized: return unauthorized(exchange, credentials)
        case .featureLocked(_, let budget):
            let message =
                "The plan does not include \(Feature.apiWebhooks.displayName). A workspace Owner can upgrade it."
            var response = failure(KeybearerError(.featureLocked, message), of: exchange)
            response.headers.addRateLimit(budget, now: now)
            return response
        case .notAMember(_, let budget):
            let message = "There is no such workspace, or it is not yours."
            var response = failure(KeybearerError(.notFound, message), of: exchange)
            response.headers.addRateLimit(budget, now: now)
            return response
        case .rateLimited(_, let budget):
            let message = "The \(budget.limit) requests of this hour are used up."
            var response = failure(KeybearerError(.rateLimited, message), of: exchange)
            response.headers.addRateLimit(budget, now: now, isRefused: true)
            return response
        case .unavailable, .needsStore, .admitted: return failure(KeybearerError.unavailable(), of: exchange)
        }
    }

    private func unauthorized(_ exchange: Exchange, _ credentials: BearerCredentials) -> Response {
        var response = failure(KeybearerError(.unauthorized, Self.unauthorizedMessage), of: exchange)
        response.headers[.wwwAuthenticate] = credentials.challenge
        return response
    }

    /// Any failure in the envelope. What is not a ``KeybearerError`` becomes `INTERNAL_ERROR` and goes to the log.
    func failure(_ error: any Error, of exchange: Exchange) -> Response {
        let known = error as? KeybearerError ?? KeybearerError(.internalError, "Something went wrong.", cause: error)
        if known.code == .internalError || known.code == .unavailable {
            logger.error(
                "A request failed.",
                metadata: [
                    "request": "\(exchange.requestID)", "code": "\(known.code.rawValue)",
                    "cause": "\(known.cause.map { String(reflecting: $0) } ?? "none")",
                ])
        }
        let body = Envelope.failure(
            known.code, message: known.message, fields: known.fields, requestID: exchange.requestID)
        return Self.json(body, status: known.code.status)
    }

    /// An answer of JSON that is never stored: it is about one account, or holds its key.
    static func json(_ body: [UInt8], status: HTTPResponse.Status = .ok) -> Response {
        json(ByteBuffer(bytes: body), status: status)
    }

    static func json(_ body: ByteBuffer, status: HTTPResponse.Status = .ok) -> Response {
        // Room for all that is added later, so that the fields are not moved on every request.
        var fields = HTTPFields()
        fields.reserveCapacity(16)
        fields.append(jsonType)
        fields.append(noStore)
        return Response(status: status, headers: fields, body: ResponseBody(byteBuffer: body))
    }

    private static let jsonType = HTTPField(name: .contentType, value: "application/json; charset=utf-8")
    private static let noStore = HTTPField(name: .cacheControl, value: "no-store")
}
