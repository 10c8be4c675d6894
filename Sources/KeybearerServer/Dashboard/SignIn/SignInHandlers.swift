import HTTPTypes
import Hummingbird
import Keybearer
import NIOCore

/// The pages by which a person comes and goes: sign up, sign in, confirm, sign out.
struct SignInHandlers: Sendable {
    let service: SignInService
    let sessions: SessionService
    let secondFactors: SecondFactorService
    /// Sign-in with a provider; nil where none is configured.
    let identities: IdentityService?
    /// Whether a forgotten password can be reset by mail.
    let isMailOn: Bool
    let pages: DashboardResponder

    /// `GET /sign-in`
    @Sendable func signInPage(_ context: RequestContext) async throws -> Response {
        let query = context.query ?? [:]
        let next = pages.place.localPath(query["next"])
        // A script of the page found that its session had ended.
        if query["ended"] != nil, let back = try await pages.wayBack(context) { return back }
        let notice = Notice.asked(
            by: query,
            of: [
                SignInPage.connectFirst, SignInPage.signedOut, SignInPage.sessionOver, SignInPage.passwordReset,
            ])
        return pages.show(
            SignInPage(
                next: next, notice: notice ?? (next == nil ? nil : SignInPage.signInNeeded),
                isSignUpOpen: service.isSignUpOpen, provider: identities?.settings.name,
                canReset: isMailOn))
    }

    /// `POST /sign-in`
    @Sendable func signIn(_ context: RequestContext) async throws -> Response {
        let form = try context.form()
        let email = form["email"] ?? ""
        let next = pages.place.localPath(form["next"])
        do {
            let step = try await service.begin(
                email: email, password: Password(form["password"] ?? ""), from: context.client,
                userAgent: context.userAgent, inPlaceOf: pages.cookie.token(in: context))
            switch step {
            case .signedIn(_, let token): return enter(with: token, at: next ?? "/")
            case .codeNeeded(let token): return askForCode(token, next: next)
            }
        } catch let error as KeybearerError where Self.isSignInProblem(error) {
            let page = SignInPage(
                email: email, next: next, problem: Self.problem(error), isSignUpOpen: service.isSignUpOpen,
                provider: identities?.settings.name, canReset: isMailOn)
            return Self.retrying(pages.show(page, error.code.status), after: error.retryAfter)
        }
    }

    /// `GET /sign-up`
    @Sendable func signUpPage(_ context: RequestContext) async throws -> Response {
        guard service.isSignUpOpen else { return pages.show(SignUpPage.closed) }
        let query = context.query ?? [:]
        // An invitation names the address that it is for.
        let email = query["email"].flatMap { EmailAddress($0)?.rawValue } ?? ""
        return pages.show(SignUpPage(form: SignUpForm(email: email, next: pages.place.localPath(query["next"]))))
    }

    /// `POST /sign-up`
    @Sendable func signUp(_ context: RequestContext) async throws -> Response {
        guard service.isSignUpOpen else { return pages.show(SignUpPage.closed, .forbidden) }
        let form = try context.form()
        let (name, email) = (form["name"] ?? "", form["email"] ?? "")
        let next = pages.place.localPath(form["next"])
        do {
            let (_, token) = try await service.signUp(
                name: name, email: email, password: Password(form["password"] ?? ""), from: context.client,
                userAgent: context.userAgent, inPlaceOf: pages.cookie.token(in: context))
            return enter(with: token, at: next ?? "/")
        } catch let error as KeybearerError where Self.isSignUpProblem(error) {
            let isTaken = error.code == .conflict
            let fields = isTaken ? ["email": "There is an account with this address already."] : error.fields
            let message = [.unavailable, .rateLimited].contains(error.code) ? error.message : nil
            let page = SignUpPage(
                form: SignUpForm(name: name, email: email, next: next, fields: fields, error: message))
            return Self.retrying(pages.show(page, error.code.status), after: error.retryAfter)
        }
    }

    /// `GET /confirm`
    @Sendable func confirmPage(_ context: RequestContext, _ signedIn: SessionService.SignedIn) async throws -> Response
    {
        let next = pages.place.localPath(context.query?["next"]) ?? "/"
        let portal = signedIn.session.portal
        return pages.show(
            ConfirmPage(
                email: signedIn.account.user.email.rawValue, next: next,
                hasPassword: signedIn.account.user.hasPassword && portal == nil,
                asksForCode: try await secondFactors.status(of: signedIn.account.user.id) != nil,
                provider: portal == nil ? try await provider(of: signedIn.account.user) : nil,
                returnURL: portal?.returnURL?.adding("reason", "session_expired")))
    }

    /// `POST /confirm`
    @Sendable func confirm(_ context: RequestContext, _ signedIn: SessionService.SignedIn) async throws -> Response {
        let form = try context.form()
        let next = pages.place.localPath(form["next"]) ?? "/"
        do {
            let (_, token) = try await service.confirm(
                signedIn, password: Password(form["password"] ?? ""), code: form["code"] ?? "", from: context.client,
                userAgent: context.userAgent)
            return enter(with: token, at: next)
        } catch let error as KeybearerError where !error.isEndOfAuthority && Self.isSignInProblem(error) {
            let user = signedIn.account.user
            let page = ConfirmPage(
                email: user.email.rawValue, next: next, problem: Self.problem(error), hasPassword: user.hasPassword,
                asksForCode: try await secondFactors.status(of: user.id) != nil,
                provider: try await provider(of: user))
            return Self.retrying(pages.show(page, error.code.status), after: error.retryAfter)
        }
    }

    /// `POST /sign-out`
    @Sendable func signOut(_ context: RequestContext, _ signedIn: SessionService.SignedIn) async throws -> Response {
        let next = try? context.form()["next"]
        try await sessions.end(
            signedIn.session.id, of: signedIn.account.user.id, by: signedIn.authority(from: context.client))
        var response =
            context.place == .frame
            // The sign-in page is in no frame.
            ? pages.show(PortalPage(end: .signOut, back: signedIn.session.portal?.returnURL?.description))
            : pages.redirect(to: "/sign-in?signedOut=1" + Self.coming(to: pages.place.localPath(next)))
        response.headers[.setCookie] = pages.cookie.remove(in: context.place)
        return response
    }

    /// The name of the provider at which an account can give proof; nil where it cannot.
    private func provider(of user: User) async throws -> String? {
        guard let identities, try await identities.isLinked(user.id) else { return nil }
        return identities.settings.name
    }

    private static func coming(to next: String?) -> String {
        next.map { "&next=\(DashboardResponder.escape($0))" } ?? ""
    }

    func enter(with token: SessionToken, at path: String) -> Response {
        var response = pages.redirect(to: path)
        response.headers[.setCookie] = pages.cookie.set(token, policy: sessions.policy)
        return response
    }

    static func retrying(_ response: Response, after wait: Duration?) -> Response {
        guard let wait else { return response }
        var response = response
        response.headers[.retryAfter] = String(wait.secondsRoundedUp)
        return response
    }

    static func isSignInProblem(_ error: KeybearerError) -> Bool {
        [.unauthorized, .rateLimited, .unavailable].contains(error.code)
    }

    private static func isSignUpProblem(_ error: KeybearerError) -> Bool {
        [.validationFailed, .conflict, .rateLimited, .unavailable].contains(error.code)
    }

    static func problem(_ error: KeybearerError) -> PasswordProblem {
        switch error.code {
        case .unauthorized: .wrongCredentials
        case .rateLimited: .tooManyAttempts(wait: error.retryAfter ?? .seconds(1))
        default: .other(error.message)
        }
    }
}
