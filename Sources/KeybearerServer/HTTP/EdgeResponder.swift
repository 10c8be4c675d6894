import HTTPTypes
import Hummingbird
import Instrumentation
import Keybearer
import Logging
import NIOCore

/// Takes every request of a listener: HTTPS first, then credentials, and only then whether there is such a path.
///
/// Nothing answers before the check that its route names, so a path that was forgotten is a closed one.
struct EdgeResponder: HTTPResponder {
    let routes: RouteTable
    /// What else is not there, whoever asks.
    var served = ServedRoutes.all
    /// Whether the listener is a Unix socket: its peers are on this machine.
    var isSocket = false
    let clientAddress: ClientAddress
    /// Whether connections of this listener are encrypted.
    let isTLS: Bool
    let bodies: BodyReader
    let api: APIResponder
    let operators: OperatorResponder
    let dashboard: DashboardResponder
    let place: Place
    let logger: Logger
    var metrics: ResponseMetrics?
    var accessLog: AccessLog?

    func respond(to original: Request, context connection: ConnectionContext) async throws -> Response {
        let request =
            place.hasPath ? Request(head: place.withLocalPath(original.head), body: original.body) : original
        let path = Self.path(of: request)
        let found = routes.find(path)
        var context = makeRequestContext(request, peer: connection.peer, parameters: found?.parameters ?? [:])
        context.requestBody = connection.requestBody
        var response = await InstrumentationContext.withValue(context.trace?.carried ?? InstrumentationContext.current)
        {
            await respond(context, path: path, matched: found?.matched)
        }
        let area = Self.area(of: path, found?.matched)
        metrics?.record(response.status.code, in: area)
        record(response.status, of: context, area, route: found?.matched.path)
        addCommonHeaders(to: &response.headers, context)
        return request.method == .head ? response.createHeadResponse() : response
    }

    /// Answers a request without a body immediately, from memory, or hands back what the store must be asked.
    ///
    /// Only what ``respond(to:context:)`` would answer in the same way: it is the same code, less the waiting.
    func respondNow(to head: HTTPRequest, peer: IPAddress?) -> APIResponder.ImmediateResponse {
        place.hasPath ? respondNow(toLocal: place.withLocalPath(head), peer) : respondNow(toLocal: head, peer)
    }

    private func respondNow(toLocal head: HTTPRequest, _ peer: IPAddress?) -> APIResponder.ImmediateResponse {
        guard head.method == .get, let fullPath = head.path, fullPath.hasPrefix("/api/") else { return .notHere }
        guard let found = routes.find(fullPath.prefix { $0 != "?" }), let route = found.matched.routes[.get] else {
            return .notHere
        }
        let request = Request(head: head, body: RequestBody(buffer: ByteBuffer()))
        let context = makeRequestContext(request, peer: peer, parameters: found.parameters)
        guard context.isSecure else { return .notHere }
        let immediate = api.respondNow(to: context, matched: found.matched, route: route)
        guard case .response(var response) = immediate else { return immediate }
        metrics?.record(response.status.code, in: .api)
        record(response.status, of: context, .api, route: found.matched.path)
        addCommonHeaders(to: &response.headers, context)
        return .response(response)
    }

    /// Answers a request that had to wait for its verdict.
    func respond(to pending: APIResponder.PendingRequest, _ verdict: Verdict) -> APIResponse {
        var response = api.respond(to: pending, verdict)
        metrics?.record(response.status.code, in: .api)
        record(response.status, of: pending.context, .api, route: pending.matched.path)
        addCommonHeaders(to: &response.headers, pending.context)
        return response
    }

    private static func area(of path: Substring, _ matched: RouteTable.MatchedPath?) -> ServerMetrics.Area {
        if RouteTable.isAPI(path) { return .api }
        if OperatorResponder.isOperator(path) { return .operators }
        if case .probe? = matched?.routes[.get]?.access { return .probes }
        return .pages
    }

    /// Gives a request its line in the access log.
    private func record(
        _ status: HTTPResponse.Status, of context: RequestContext, _ area: ServerMetrics.Area, route: String?
    ) {
        guard let accessLog, let logged = context.logged, accessLog.isWanted(status.code) else { return }
        let surface: AccessLine.Surface =
            switch area {
            case .api: .api
            case .pages: .pages
            case .operators: .operators
            case .probes: .probes
            }
        accessLog.record(
            AccessLine(
                at: api.clocks.wall(), duration: logged.begun.duration(to: api.clocks.steady()),
                requestID: context.requestID, surface: surface,
                method: AccessLine.method(context.request.method.rawValue), route: route ?? "-", status: status.code,
                client: context.client, subject: logged.subject, trace: context.trace))
    }

    private static func path(of request: Request) -> Substring { (request.head.path ?? "/").prefix { $0 != "?" } }

    private func makeRequestContext(_ request: Request, peer: IPAddress?, parameters: [String: String])
        -> RequestContext
    {
        let peer = peer ?? .localSocket
        var context = RequestContext(
            request: request, client: clientAddress.address(peer: peer, headers: request.headers),
            requestID: RequestIdentifier.next(), parameters: parameters)
        context.isSecure =
            isSocket
            ? ClientAddress.isSecureOnSocket(request.headers)
            : clientAddress.isSecure(isTLS: isTLS, peer: peer, headers: request.headers)
        context.isHTTPS = isTLS || clientAddress.isTrusted(peer)
        // Two of them are none: nobody could say which is meant.
        let traces = request.headers[values: HeaderName.traceParent]
        if traces.count == 1 { context.trace = TraceContext(traces[0])?.child() }
        if accessLog != nil { context.logged = LoggedRequest(begun: api.clocks.steady()) }
        return context
    }

    private func addCommonHeaders(to headers: inout HTTPFields, _ context: RequestContext) {
        // Appended, not set: no handler writes these, and setting would look through all fields first.
        headers.append(HTTPField(name: HeaderName.requestID, value: context.requestID))
        headers.append(Self.noSniff)
        if isTLS { headers.append(place.hasPath ? Self.strictTransportHere : Self.strictTransport) }
    }

    private static let noSniff = HTTPField(name: HeaderName.contentTypeOptions, value: "nosniff")
    private static let strictTransport = HTTPField(
        name: .strictTransportSecurity, value: "max-age=31536000; includeSubDomains")
    /// Below a path the host is the product's, and its subdomains are its own affair.
    private static let strictTransportHere = HTTPField(name: .strictTransportSecurity, value: "max-age=31536000")

    private func respond(_ context: RequestContext, path: Substring, matched: RouteTable.MatchedPath?) async -> Response
    {
        let method = context.request.method
        let route = matched?.routes[method == .head ? .get : method]
        do {
            if case .probe(let handler) = route?.access { return try await handler(context) }
            guard context.isSecure else { return refuseInsecure(context, path: path) }
            guard served.includes(path: path) else {
                return api.failure(KeybearerError(.notFound, "There is nothing at this path."), of: context).response
            }
            if RouteTable.isAPI(path) {
                return await api.respond(to: context, matched: matched, route: route, reading: bodies).response
            }
            if OperatorResponder.isOperator(path) {
                return await operators.respond(to: context, matched: matched, route: route).response
            }
            guard context.keepsSessions else { return refuseInsecure(context, path: path) }
            return await dashboard.respond(to: context, matched: matched, route: route)
        } catch {
            logger.error("A probe failed.", metadata: ["error": "\(error)", "request": "\(context.requestID)"])
            return api.failure(KeybearerError(.internalError, "Something went wrong."), of: context).response
        }
    }

    /// Never a redirect: the key has already crossed the wire, and its sender should notice.
    private func refuseInsecure(_ context: RequestContext, path: Substring) -> Response {
        let error = KeybearerError(.httpsRequired, "Use https:// for every request.")
        let wantsEnvelope =
            RouteTable.isAPI(path) || OperatorResponder.isOperator(path) || served == .operatorsAlone
        return wantsEnvelope ? api.failure(error, of: context).response : dashboard.failure(error, of: context)
    }
}
