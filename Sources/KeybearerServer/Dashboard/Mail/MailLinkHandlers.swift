import HTTPTypes
import Hummingbird
import Keybearer

/// What links in mails lead to. Looking changes nothing; the buttons do.
struct MailLinkHandlers: Sendable {
    let emails: EmailService
    let resets: PasswordResetService
    let pages: DashboardResponder

    /// `GET /verify-email?code=…`
    @Sendable func verifyPage(_ context: RequestContext) async throws -> Response {
        guard let text = context.query?["code"], let code = MailCode(parsing: text) else {
            return show(VerifyEmailPage.unknown, .notFound)
        }
        return show(try await emails.find(code), text, for: try await pages.person(context)?.account.user)
    }

    /// `POST /verify-email`: the account gets the address that the mail went to.
    @Sendable func useLink(_ context: RequestContext) async throws -> Response {
        guard let text = try context.form()["code"], let code = MailCode(parsing: text) else {
            return show(VerifyEmailPage.unknown, .notFound)
        }
        do {
            return show(try await emails.use(code, from: context.client), text, for: nil)
        } catch let error as KeybearerError where error.code == .conflict {
            return show(VerifyEmailPage.taken, .conflict)
        }
    }

    /// `POST /account/email/confirm`: the account's own address is verified.
    @Sendable func confirm(_ context: RequestContext, _ signedIn: SessionService.SignedIn) async throws -> Response {
        guard let text = try context.form()["code"], let code = MailCode(parsing: text) else {
            return show(VerifyEmailPage.unknown, .notFound)
        }
        return show(
            try await emails.confirm(code, of: signedIn, from: context.client), text, for: signedIn.account.user)
    }

    /// - Parameter reader: who is signed in.
    private func show(_ found: EmailService.Found, _ code: String, for reader: User?) -> Response {
        switch found {
        case .usable(let link, let user): show(VerifyEmailPage(link, of: user, code: code, for: reader))
        case .used(let email): show(VerifyEmailPage.done(email))
        case .ended: show(VerifyEmailPage.ended, .gone)
        case .none: show(VerifyEmailPage.unknown, .notFound)
        }
    }

    /// `GET /forgot-password`
    @Sendable func forgotPage(_ context: RequestContext) async throws -> Response {
        try requireMail()
        return pages.show(ForgotPasswordPage())
    }

    /// `POST /forgot-password`: sends a link, if there is such an account. The answer is the same if not.
    @Sendable func forgot(_ context: RequestContext) async throws -> Response {
        try requireMail()
        let email = try context.form()["email"] ?? ""
        do {
            try await resets.request(email, from: context.client)
            return pages.show(ForgotPasswordPage(email: email, isSent: true))
        } catch let error as KeybearerError where error.code == .validationFailed {
            return pages.show(ForgotPasswordPage(email: email, error: error.fields["email"]), error.code.status)
        }
    }

    /// `GET /reset-password?code=…`
    @Sendable func resetPage(_ context: RequestContext) async throws -> Response {
        guard let text = context.query?["code"], let code = MailCode(parsing: text),
            let found = try await resets.find(code)
        else { return show(ResetPasswordPage.ended, .gone) }
        return show(
            ResetPasswordPage(
                code: text, email: found.account.user.email.rawValue, asksForCode: found.needsCode,
                isTakeover: found.isTakeover))
    }

    /// `POST /reset-password`
    @Sendable func reset(_ context: RequestContext) async throws -> Response {
        let form = try context.form()
        guard let text = form["code"], let code = MailCode(parsing: text) else {
            return show(ResetPasswordPage.ended, .gone)
        }
        do {
            let isDone = try await resets.reset(
                by: code, to: Password(form["password"] ?? ""), otp: form["otp"] ?? "", from: context.client)
            return isDone ? pages.redirect(to: "/sign-in?reset=1") : show(ResetPasswordPage.ended, .gone)
        } catch let error as KeybearerError where [.validationFailed, .rateLimited].contains(error.code) {
            guard let found = try await resets.find(code) else { return show(ResetPasswordPage.ended, .gone) }
            let page = ResetPasswordPage(
                code: text, email: found.account.user.email.rawValue, asksForCode: found.needsCode,
                isTakeover: found.isTakeover,
                fields: error.code == .rateLimited ? ["code": error.message] : error.fields)
            return SignInHandlers.retrying(show(page, error.code.status), after: error.retryAfter)
        }
    }

    /// - Throws: `NOT_FOUND` where no mails are sent.
    private func requireMail() throws(KeybearerError) {
        guard resets.isOn else {
            throw KeybearerError(
                .notFound, "This service sends no mail. Ask its operator for a new password.")
        }
    }

    /// The code is in the page's address: no other site learns it.
    private func show(_ page: some Page, _ status: HTTPResponse.Status = .ok) -> Response {
        var response = pages.show(page, status)
        response.headers[HeaderName.referrerPolicy] = "strict-origin"
        return response
    }
}
