import HTTPTypes
import HummingbirdCore
import Keybearer

/// Responds to `/operator/*`: checks the operator token first, then the path and the method, then calls the handler.
struct OperatorResponder: Sendable {
    let tokens: OperatorTokenService
    let writes: WriteService
    let batch: BatchHandler
    let api: APIResponder
    let bodies: BodyReader

    static func isOperator(_ path: Substring) -> Bool { path.hasPrefix("/operator/") }

    func respond(to original: RequestContext, matched: RouteTable.MatchedPath?, route: Route?) async -> APIResponse {
        var context = original
        do {
            // Whatever the path: without a token nobody learns what is here.
            guard let secret = Self.secret(in: context.headers) else {
                throw KeybearerError(.unauthorized, "Send an operator token.")
            }
            // A forgery is refused before the body is read; everything else is decided after its last byte.
            guard try await !tokens.isForged(secret) else {
                throw KeybearerError(.unauthorized, "The operator token is not valid.")
            }
            var problem: KeybearerError?
            if case .operatorToken = route?.access {
                problem = await bodies.read(
                    into: &context, upTo: route?.endpoint?.body.limit ?? BodyReader.objectLimit)
            }
            let token = try await tokens.authenticate(secret, from: context.client)
            if case .operatorToken(let scope?, _) = route?.access { try token.require(scope) }
            if let problem { throw problem }
            if case .operatorToken(_, let handler) = route?.access {
                let request = OperatorRequest(context: context, caller: OperatorCaller(token, from: context.client))
                if route?.endpoint?.takesVersion != true { try request.requireNoVersion() }
                return try await RequestOrigin.$current.withValue(context.origin) {
                    try await respond(request, handler, token)
                }
            }
            guard let matched else { throw KeybearerError(.notFound, "There is nothing at this path.") }
            let method = context.request.method.rawValue
            var response = api.failure(
                KeybearerError(.methodNotAllowed, "This path does not answer \(method)."), of: context)
            response.headers[.allow] = matched.allow
            return response
        } catch {
            var response = api.failure(error, of: context)
            if response.status == .unauthorized {
                let isMissing = context.headers[values: .authorization].isEmpty
                response.headers[.wwwAuthenticate] = api.challenges.operatorToken(isMissing ? .missing : .refused)
            }
            return response
        }
    }

    private func respond(
        _ request: OperatorRequest, _ handler: Route.OperatorHandler, _ token: OperatorToken
    ) async throws -> APIResponse {
        switch handler {
        case .alone(let handler): return try await handler(request)
        case .write(let handler):
            let write = try await handler(request)
            return try await write.present(try await writes.perform(write.write, by: request.caller))
        case .batch: return try await batch.respond(to: request, token: token)
        }
    }

    /// The one bearer token; nil for two headers, or for anything else.
    private static func secret(in headers: HTTPFields) -> OperatorSecret? {
        let values = headers[values: .authorization]
        guard values.count == 1, values[0].utf8.count > 7, values[0].prefix(6).lowercased() == "bearer" else {
            return nil
        }
        let rest = values[0].dropFirst(6)
        guard rest.first == " " else { return nil }
        return OperatorSecret(presented: rest.drop { $0 == " " })
    }
}
