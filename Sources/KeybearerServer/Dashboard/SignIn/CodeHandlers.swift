import HTTPTypes
import Hummingbird
import Keybearer

/// The second page of a sign-in, for accounts with an authenticator app.
extension SignInHandlers {
    private var pendingCookie: PendingSignInCookie { PendingSignInCookie(beside: pages.cookie) }

    /// Leads a browser whose password was right to the page that asks for the code.
    func askForCode(_ token: PendingSignInToken, next: String?) -> Response {
        let query = next.map { "?next=" + DashboardResponder.escape(pages.place.path($0)) } ?? ""
        var response = pages.redirect(to: Routes.signInCode + query)
        response.headers[.setCookie] = pendingCookie.set(token)
        return response
    }

    /// `GET /sign-in/code`
    @Sendable func codePage(_ context: RequestContext) async throws -> Response {
        guard let token = pendingCookie.token(in: context.headers), try await service.isWaiting(token) else {
            return pages.redirect(to: "/sign-in")
        }
        return pages.show(CodePage(next: pages.place.localPath(context.query?["next"])))
    }

    /// `POST /sign-in/code`
    @Sendable func enterCode(_ context: RequestContext) async throws -> Response {
        let form = try context.form()
        let next = pages.place.localPath(form["next"])
        guard let pending = pendingCookie.token(in: context.headers) else {
            throw KeybearerError.authorityEnded("Sign in first.")
        }
        do {
            let (_, token) = try await service.withCode(
                form["code"] ?? "", pending, from: context.client, userAgent: context.userAgent,
                inPlaceOf: pages.cookie.token(in: context))
            var response = enter(with: token, at: next ?? "/")
            response.headers[values: .setCookie].append(pendingCookie.remove)
            return response
        } catch let error as KeybearerError where !error.isEndOfAuthority && Self.isSignInProblem(error) {
            let page = CodePage(next: next, problem: Self.problem(error))
            return Self.retrying(pages.show(page, error.code.status), after: error.retryAfter)
        }
    }
}
