import HTTPTypes
import Hummingbird
import Keybearer
import Logging
import NIOCore

/// Signing in with an OpenID Connect provider.
struct IdentityHandlers: Sendable {
    /// Nil where no provider is configured: then there is nothing at these addresses.
    let service: IdentityService?
    let sessions: SessionService
    let pages: DashboardResponder
    /// Where the provider sends browsers back to; nil without a public address.
    let redirectURI: String?

    private var cookie: AttemptCookie { AttemptCookie(beside: pages.cookie) }
    private var recent: RecentSignIn { RecentSignIn(pages: pages) }

    /// `GET /sign-in/oidc`: sends the browser to the provider. It changes nothing but the browser's own cookie.
    ///
    /// A page of another site gets a page with a button: nobody is signed in here, or as somebody else, without a press.
    @Sendable func begin(_ context: RequestContext) async throws -> Response {
        let (service, redirectURI) = try configured(context)
        let query = context.query ?? [:]
        // To a page that would begin again, nobody is led.
        let next = pages.place.localPath(query["next"]).flatMap { $0.hasPrefix("/sign-in") ? nil : $0 } ?? "/"
        let isConfirmation = query["confirm"] != nil
        do {
            let fetchSite = context.headers[HeaderName.fetchSite]
            guard fetchSite == nil || fetchSite != "cross-site" else {
                let page = ProviderPage(
                    name: service.settings.name, path: Self.path(to: next, isConfirmation: isConfirmation))
                return withoutReferrer(pages.show(page))
            }
            let signedIn = isConfirmation ? try await signedIn(context) : nil
            let begun = try await service.begin(
                next: next, confirming: signedIn?.session.portal == nil ? signedIn : nil, redirectURI: redirectURI)
            var response = withoutReferrer(DashboardResponder.leave(to: begun.url))
            response.headers[.setCookie] = cookie.set(begun.attempt)
            return response
        } catch {
            return problem(error, context)
        }
    }

    /// `GET /sign-in/oidc/callback`: the browser is back. The address holds the code, so that every answer leads away from
    /// it, or has no form and names no referrer.
    @Sendable func callback(_ context: RequestContext) async throws -> Response {
        let (service, redirectURI) = try configured(context)
        do {
            guard let query = context.query else { throw KeybearerError(.badRequest, "The address is malformed.") }
            let attempt = try service.require(cookie.attempt(in: context.headers), state: query["state"] ?? "")
            guard query["iss"] == nil || query["iss"] == service.settings.issuer else {
                throw KeybearerError(.badRequest, "The answer is another provider's. Nothing was changed; begin again.")
            }
            guard query["error"] == nil, let code = query["code"] else { return declined(service, context) }
            let finished = try await service.finish(
                attempt,
                IdentityService.Return(code: code, state: query["state"] ?? "", redirectURI: redirectURI),
                signedIn: try await signedIn(context),
                client: IdentityService.Client(
                    address: context.client, userAgent: context.userAgent,
                    cookie: pages.cookie.token(in: context)))
            switch finished {
            case .signedIn(let token):
                var response = withoutReferrer(pages.redirect(to: end(of: attempt)))
                response.headers[values: .setCookie] = [
                    pages.cookie.set(token, policy: sessions.policy), cookie.remove,
                ]
                return response
            case .signInFirst:
                // The cookie stays: it is what the identity waits with.
                let isSignedIn = try await signedIn(context).map { $0.session.portal == nil } ?? false
                return withoutReferrer(
                    pages.redirect(
                        to: isSignedIn
                            ? Routes.linkIdentity
                            : "/sign-in?\(SignInPage.connectFirst.query)=1&next=\(Routes.linkIdentity)"))
            }
        } catch {
            return problem(error, context)
        }
    }

    /// `GET /sign-in/oidc/link`: asks whether who waits is connected with the account.
    @Sendable func linkPage(_ context: RequestContext, _ signedIn: SessionService.SignedIn) async throws -> Response {
        let (service, _) = try configured(context)
        guard let attempt = cookie.attempt(in: context.headers), let pending = try await service.pending(attempt)
        else { return pages.redirect(to: "/") }
        return try await recent.require(context, signedIn, next: Routes.linkIdentity) {
            pages.show(
                ProviderPage(
                    name: service.settings.name, email: pending.email, account: signedIn.account.user.email.rawValue))
        }
    }

    /// `POST /sign-in/oidc/link`: connects them.
    @Sendable func link(_ context: RequestContext, _ signedIn: SessionService.SignedIn) async throws -> Response {
        let (service, _) = try configured(context)
        return try await recent.require(context, signedIn, next: Routes.linkIdentity) {
            let attempt = cookie.attempt(in: context.headers)
            try await service.link(attempt, to: signedIn, from: context.client)
            var response = pages.redirect(to: end(of: attempt))
            response.headers[.setCookie] = cookie.remove
            return response
        }
    }

    /// Where a browser begins.
    static func path(to next: String?, isConfirmation: Bool = false) -> String {
        Routes.signInWithProvider + "?" + (isConfirmation ? "confirm=1&" : "")
            + "next=\(DashboardResponder.escape(next ?? "/"))"
    }

    /// Where a browser is led at the end. Nothing but this server wrote it into the cookie; it is looked at all the same.
    private func end(of attempt: SignInAttempt?) -> String {
        pages.place.localPath(attempt?.next) ?? "/"
    }

    private func configured(_ context: RequestContext) throws -> (IdentityService, redirectURI: String) {
        guard let service, let redirectURI else {
            throw KeybearerError(.notFound, "There is nothing at this address.")
        }
        // Whoever only looks at an address uses nothing up.
        guard context.request.method != .head else {
            throw KeybearerError(.methodNotAllowed, "This address does not answer HEAD.")
        }
        return (service, redirectURI)
    }

    private func signedIn(_ context: RequestContext) async throws -> SessionService.SignedIn? {
        guard let token = pages.cookie.token(in: context) else { return nil }
        return try await sessions.find(token)
    }

    /// The person pressed "no" at the provider, or the provider does not want to. What it says is not shown.
    private func declined(_ service: IdentityService, _ context: RequestContext) -> Response {
        let name = service.settings.name
        let message = "\(name) did not sign you in. Try again, or sign in another way."
        var response = problem(KeybearerError(.forbidden, message), context)
        response.headers[.setCookie] = cookie.remove
        return response
    }

    /// A page without a form. It never leads to the sign-in page by itself: that would keep the code in the next address.
    private func problem(_ error: any Error, _ context: RequestContext) -> Response {
        let known = KeybearerError(any: error)
        pages.logProviderProblem(known, context)
        let message = known.code == .internalError ? nil : known.message
        let page = ErrorPage(
            status: known.code.status.code, title: message == nil ? nil : "The sign-in did not work", message: message,
            requestID: context.requestID, homePath: "/sign-in")
        var response = withoutReferrer(pages.show(page, known.code.status))
        if let wait = known.retryAfter { response.headers[.retryAfter] = String(wait.secondsRoundedUp) }
        return response
    }

    private func withoutReferrer(_ response: Response) -> Response {
        var response = response
        response.headers[HeaderName.referrerPolicy] = "no-referrer"
        return response
    }
}

extension DashboardResponder {
    /// Says in the log why a sign-in with the provider failed. No code and no token is in it.
    fileprivate func logProviderProblem(_ error: KeybearerError, _ context: RequestContext) {
        logger.log(
            level: error.code == .internalError ? .error : .warning, "A sign-in with the provider failed.",
            metadata: [
                "request": "\(context.requestID)", "code": "\(error.code.rawValue)",
                "cause": "\(error.cause.map { String(reflecting: $0) } ?? "none")",
            ])
    }
}
