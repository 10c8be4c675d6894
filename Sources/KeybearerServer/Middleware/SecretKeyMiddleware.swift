import HTTPTypes
public import Hummingbird
public import Keybearer
public import Logging
import NIOCore

/// A request context that carries whose key passed.
public protocol KeyHolderRequestContext: RemoteAddressRequestContext {
    /// Whose key the request carried. Set by ``SecretKeyMiddleware``; nil outside it.
    var keyHolder: KeyHolder? { get set }
}

/// Lets a request of a Hummingbird application through when its Secret Key may pass, and answers it otherwise.
///
/// It decides in this process as the gate does: the same memory, plan and hour, the same answers. Add it to the router
/// or the group before the routes that it guards: routes that were added earlier are not guarded.
///
/// The key is taken out of the request before it goes on, so that no handler can log it.
public struct SecretKeyMiddleware<Context: KeyHolderRequestContext>: RouterMiddleware {
    private let node: Node
    private let clientAddress: ClientAddress
    private let isTLS: Bool
    private let api: APIResponder
    private let clocks: Clocks
    private let workspaceParameter: String?
    private let metrics: VerdictMetrics?

    /// Puts a guard together.
    ///
    /// - Parameters:
    ///   - services: the domain, in the role of a server; run its ``NodeService`` beside the application.
    ///   - isTLS: whether the application's own listener is encrypted. Over plain HTTP only tools on the same machine
    ///     and trusted proxies that say `https` pass.
    ///   - trustedProxies: the operator's own proxies, whose forwarding headers are believed.
    ///   - workspaceParameter: the parameter of the route's path that names the workspace, such as `workspaceID`; nil
    ///     when `X-Workspace-Id` alone may name one.
    ///   - productName: the realm of the challenge in a 401.
    /// - Throws: `INTERNAL_ERROR` when the services are not in the role of a server.
    public init(
        services: Services, isTLS: Bool, trustedProxies: [AddressRange] = [], workspaceParameter: String? = nil,
        productName: ProductName = .standard, clocks: Clocks = .system, logger: Logger
    ) throws {
        node = try services.requireNode()
        clientAddress = ClientAddress(trusted: trustedProxies)
        self.isTLS = isTLS
        self.clocks = clocks
        self.workspaceParameter = workspaceParameter
        api = APIResponder(node: node, clocks: clocks, logger: logger, challenges: Challenges(product: productName))
        metrics = VerdictMetrics(.middleware, of: node, clocks: clocks)
    }

    public func handle(
        _ request: Request, context: Context, next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        let peer = context.remoteAddress.flatMap { IPAddress($0) } ?? .localSocket
        let requestContext = RequestContext(
            request: request, client: clientAddress.address(peer: peer, headers: request.headers),
            requestID: RequestIdentifier.next(), parameters: [:])
        guard clientAddress.isSecure(isTLS: isTLS, peer: peer, headers: request.headers) else {
            return api.failure(KeybearerError(.httpsRequired, "Use https:// for every request."), of: requestContext)
                .response
        }
        let admission = Admission(BearerCredentials(request.headers), from: requestContext.client) {
            () throws(KeybearerError) in
            try Admission.scope(
                field: try Admission.workspace(in: request.headers),
                path: workspaceParameter.flatMap { context.parameters.get($0) })
        }
        let begun = clocks.steady()
        let verdict = await admission.verdict(by: node.verifier) { requestContext.clientName }
        metrics?.record(verdict, since: begun)
        switch admission.outcome(of: verdict) {
        case .refused(let refusal):
            admission.record(
                verdict, by: node.verifier, at: clocks.wall(), requestID: requestContext.requestID)
            return api.refusal(refusal, of: requestContext).response
        case .admitted(let account, let rateLimit):
            var head = request.head
            head.headerFields[.authorization] = nil
            var context = context
            context.keyHolder = KeyHolder(account, scope: admission.scope, rateLimit: rateLimit)
            var response = try await next(Request(head: head, body: request.body), context)
            response.headers.addRateLimit(rateLimit, now: clocks.wall())
            return response
        }
    }
}
