import HTTPTypes
import Hummingbird
import Keybearer
import NIOCore

/// "Try it": one real request with the key, made here on behalf of the page. It goes nowhere else.
struct TrialHandlers: Sendable {
    let keys: KeyService
    let keyPage: KeyPageHandlers
    let api: APIResponder
    let bodies: BodyReader
    let pages: DashboardResponder
    /// The route of the request.
    let route: Route

    /// `POST /workspaces/{workspaceID}/api-webhooks/try`: `GET /api/v1/me` as whoever has the key would send it, from the
    /// address of the browser. It counts as any other request; the key is in no page.
    @Sendable func run(_ context: RequestContext, _ signedIn: SessionService.SignedIn) async throws -> Response {
        let subject = try await keyPage.subject(context, signedIn)
        try KeyPageHandlers.requireFeature(subject.access)
        return try await RecentSignIn(pages: pages).require(context, signedIn, next: subject.path) {
            let (secret, key) = try await keys.openForTrial(
                subject.account.user.id, by: signedIn.authority(from: context.client), needs: subject.reveal)
            let trial = TrialPanel(await send(secret, from: context))
            return try await keyPage.show(
                context, signedIn, subject, notice: nil, key: key, revealed: nil, trial: trial)
        }
    }

    private func send(_ secret: SecretKey, from context: RequestContext) async -> APIResponse {
        var headers: HTTPFields = [.authorization: "Bearer \(secret.characters)"]
        headers[.userAgent] = context.headers[.userAgent]
        let head = HTTPRequest(
            method: route.method, scheme: "https", authority: context.request.head.authority, path: route.path,
            headerFields: headers)
        var request = RequestContext(
            request: Request(head: head, body: RequestBody(buffer: ByteBuffer())), client: context.client,
            requestID: context.requestID, parameters: [:])
        (request.isSecure, request.isHTTPS) = (true, context.isHTTPS)
        var response = await api.respond(
            to: request, matched: RouteTable([route]).find(route.path[...])?.matched, route: route, reading: bodies)
        response.headers[HeaderName.requestID] = request.requestID
        return response
    }
}
