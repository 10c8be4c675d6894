import HTTPTypes
import Hummingbird
import Keybearer
import Logging

/// Takes every request of a listener: HTTPS first, then credentials, and only then whether there is such a path.
///
/// Nothing answers before the check that its route names, so a path that was forgotten is a closed one.
struct EdgeResponder: HTTPResponder {
    let routes: RouteTable
    let clientAddress: ClientAddress
    /// Whether connections of this listener are encrypted.
    let isTLS: Bool
    let api: APIResponder
    let dashboard: DashboardResponder
    let logger: Logger

    func respond(to request: Request, context: EdgeContext) async throws -> Response {
        let requestID = RequestIdentifier.next()
        // Without an address (a Unix socket) there is nobody to trust: the unspecified address is in no list.
        let peer = context.peer ?? IPAddress(high: 0, low: 0)
        let fullPath = request.head.path ?? "/"
        let path = fullPath.prefix { $0 != "?" }
        let found = routes.find(path)
        var exchange = Exchange(
            request: request, client: clientAddress.resolve(peer: peer, fields: request.headers),
            requestID: requestID, parameters: found?.parameters ?? [:])
        exchange.isSecure = clientAddress.isSecure(isTLS: isTLS, peer: peer, fields: request.headers)
        exchange.isHTTPS = isTLS || clientAddress.isTrusted(peer)
        var response = await answer(exchange, path: path, entry: found?.entry)
        // Appended, not set: no handler writes these, and setting would look through all fields first.
        response.headers.append(HTTPField(name: FieldName.requestID, value: requestID))
        response.headers.append(Self.noSniff)
        if isTLS { response.headers[.strictTransportSecurity] = "max-age=31536000; includeSubDomains" }
        return request.method == .head ? response.createHeadResponse() : response
    }

    private static let noSniff = HTTPField(name: FieldName.contentTypeOptions, value: "nosniff")

    private func answer(_ exchange: Exchange, path: Substring, entry: RouteTable.Entry?) async -> Response {
        let method = exchange.request.method
        let route = entry?.routes[method == .head ? .get : method]
        do {
            if case .probe(let handler) = route?.access { return try await handler(exchange) }
            guard exchange.isSecure else { return refuseInsecure(exchange, path: path) }
            if RouteTable.isAPI(path) { return await api.respond(to: exchange, entry: entry, route: route) }
            return await dashboard.respond(to: exchange, entry: entry, route: route)
        } catch {
            logger.error("A probe failed.", metadata: ["error": "\(error)", "request": "\(exchange.requestID)"])
            return api.failure(KeybearerError(.internalError, "Something went wrong."), of: exchange)
        }
    }

    /// Never a redirect: the key has already crossed the wire, and its sender should notice.
    private func refuseInsecure(_ exchange: Exchange, path: Substring) -> Response {
        let error = KeybearerError(.httpsRequired, "Use https:// for every request.")
        return RouteTable.isAPI(path) ? api.failure(error, of: exchange) : dashboard.failure(error, of: exchange)
    }
}
