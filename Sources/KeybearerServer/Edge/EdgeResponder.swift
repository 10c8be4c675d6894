import HTTPTypes
import Hummingbird
import Keybearer
import Logging
import NIOCore

/// Takes every request of a listener: HTTPS first, then credentials, and only then whether there is such a path.
///
/// Nothing answers before the check that its route names, so a path that was forgotten is a closed one.
struct EdgeResponder: HTTPResponder {
    let routes: RouteTable
    let clientAddress: ClientAddress
    /// Whether connections of this listener are encrypted.
    let isTLS: Bool
    let bodies: BodyReader
    let api: APIResponder
    let operators: OperatorResponder
    let dashboard: DashboardResponder
    let logger: Logger

    func respond(to request: Request, context: EdgeContext) async throws -> Response {
        let path = Self.path(of: request)
        let found = routes.find(path)
        var exchange = makeExchange(request, peer: context.peer, parameters: found?.parameters ?? [:])
        exchange.askForBody = context.askForBody
        var response = await answer(exchange, path: path, entry: found?.entry)
        addCommonFields(to: &response.headers, exchange)
        return request.method == .head ? response.createHeadResponse() : response
    }

    /// Answers a request without a body at once, from memory; nil when that cannot be done, and then nothing was counted.
    ///
    /// Only what ``respond(to:context:)`` would answer in the same way: it is the same code, less the waiting.
    func respondNow(to head: HTTPRequest, peer: IPAddress?) -> APIAnswer? {
        guard head.method == .get, let fullPath = head.path, fullPath.hasPrefix("/api/") else { return nil }
        guard let found = routes.find(fullPath.prefix { $0 != "?" }), let route = found.entry.routes[.get] else {
            return nil
        }
        let request = Request(head: head, body: RequestBody(buffer: ByteBuffer()))
        let exchange = makeExchange(request, peer: peer, parameters: found.parameters)
        guard exchange.isSecure, var answer = api.respondNow(to: exchange, entry: found.entry, route: route) else {
            return nil
        }
        addCommonFields(to: &answer.headers, exchange)
        return answer
    }

    private static func path(of request: Request) -> Substring { (request.head.path ?? "/").prefix { $0 != "?" } }

    private func makeExchange(_ request: Request, peer: IPAddress?, parameters: [String: String]) -> Exchange {
        let peer = peer ?? .localSocket
        var exchange = Exchange(
            request: request, client: clientAddress.address(peer: peer, fields: request.headers),
            requestID: RequestIdentifier.next(), parameters: parameters)
        exchange.isSecure = clientAddress.isSecure(isTLS: isTLS, peer: peer, fields: request.headers)
        exchange.isHTTPS = isTLS || clientAddress.isTrusted(peer)
        return exchange
    }

    private func addCommonFields(to fields: inout HTTPFields, _ exchange: Exchange) {
        // Appended, not set: no handler writes these, and setting would look through all fields first.
        fields.append(HTTPField(name: FieldName.requestID, value: exchange.requestID))
        fields.append(Self.noSniff)
        if isTLS { fields.append(Self.strictTransport) }
    }

    private static let noSniff = HTTPField(name: FieldName.contentTypeOptions, value: "nosniff")
    private static let strictTransport = HTTPField(
        name: .strictTransportSecurity, value: "max-age=31536000; includeSubDomains")

    private func answer(_ exchange: Exchange, path: Substring, entry: RouteTable.Entry?) async -> Response {
        let method = exchange.request.method
        let route = entry?.routes[method == .head ? .get : method]
        do {
            if case .probe(let handler) = route?.access { return try await handler(exchange) }
            guard exchange.isSecure else { return refuseInsecure(exchange, path: path) }
            if RouteTable.isAPI(path) {
                return await api.respond(to: exchange, entry: entry, route: route, reading: bodies).response
            }
            if OperatorResponder.isOperator(path) {
                return await operators.respond(to: exchange, entry: entry, route: route).response
            }
            guard exchange.keepsSessions else { return refuseInsecure(exchange, path: path) }
            return await dashboard.respond(to: exchange, entry: entry, route: route)
        } catch {
            logger.error("A probe failed.", metadata: ["error": "\(error)", "request": "\(exchange.requestID)"])
            return api.failure(KeybearerError(.internalError, "Something went wrong."), of: exchange).response
        }
    }

    /// Never a redirect: the key has already crossed the wire, and its sender should notice.
    private func refuseInsecure(_ exchange: Exchange, path: Substring) -> Response {
        let error = KeybearerError(.httpsRequired, "Use https:// for every request.")
        let wantsEnvelope = RouteTable.isAPI(path) || OperatorResponder.isOperator(path)
        return wantsEnvelope ? api.failure(error, of: exchange).response : dashboard.failure(error, of: exchange)
    }
}
