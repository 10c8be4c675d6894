import Hummingbird
import Keybearer

/// Leads a browser to `GET /confirm`, and back afterwards, before what needs a recent sign-in.
struct RecentSignIn: Sendable {
    let pages: DashboardResponder

    /// Runs what needs a recent sign-in.
    ///
    /// The body's transaction looks again. Where the sign-in has become too old on the way there, the browser gets the
    /// same answer as before it.
    ///
    /// - Parameter next: where the browser comes back to: a path as the routes have it.
    func require(
        _ context: RequestContext, _ signedIn: SessionService.SignedIn, next: String,
        _ body: () async throws -> Response
    ) async throws -> Response {
        guard signedIn.isRecent else { return confirmFirst(context, next) }
        do {
            return try await body()
        } catch let error as KeybearerError where error.isOldSignIn {
            return confirmFirst(context, next)
        }
    }

    private func confirmFirst(_ context: RequestContext, _ next: String) -> Response {
        let confirm = "/confirm?next=" + DashboardResponder.escape(pages.place.path(next))
        guard context.wantsJSON else { return pages.redirect(to: confirm) }
        let body = Envelope.failure(
            .forbidden, message: KeybearerError.oldSignIn.message, requestID: context.requestID,
            extra: ["confirmUrl": pages.place.path(confirm)])
        return APIResponse.json(body, status: .forbidden).response
    }
}
