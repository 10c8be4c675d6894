import HTTPTypes
import Hummingbird
import Keybearer

/// Two-step sign-in on the account's page: set an app up, make recovery codes, turn it off. All of it needs a recent
/// sign-in.
struct SecondFactorHandlers: Sendable {
    let service: SecondFactorService
    let pages: DashboardResponder
    /// What apps call the service.
    let issuer: String

    /// `GET /account/second-factor`
    @Sendable func page(_ context: RequestContext, _ signedIn: SessionService.SignedIn) async throws -> Response {
        if let refusal = confirmFirst(signedIn) { return refusal }
        return try await show(signedIn)
    }

    /// `POST /account/second-factor`: turns it on.
    @Sendable func turnOn(_ context: RequestContext, _ signedIn: SessionService.SignedIn) async throws -> Response {
        if let refusal = confirmFirst(signedIn) { return refusal }
        let form = try context.form()
        guard let app = OneTimePassword(parsing: form["secret"] ?? "") else {
            throw KeybearerError(.badRequest, "The form is incomplete. Open the page again.")
        }
        do {
            let codes = try await service.turnOn(
                app, code: form["code"] ?? "", for: signedIn, from: context.client)
            return pages.show(SecondFactorPage(shell: shell(signedIn), codes: codes, isNew: true))
        } catch let error as KeybearerError where error.code == .validationFailed {
            let page = SecondFactorPage(
                shell: shell(signedIn), setup: setup(app, signedIn), codeError: error.fields["code"])
            return pages.show(page, error.code.status)
        }
    }

    /// `POST /account/second-factor/recovery-codes`
    @Sendable func replaceCodes(
        _ context: RequestContext, _ signedIn: SessionService.SignedIn
    ) async throws -> Response {
        if let refusal = confirmFirst(signedIn) { return refusal }
        let code = try context.form()["code"] ?? ""
        do {
            let codes = try await service.replaceRecoveryCodes(code: code, for: signedIn, from: context.client)
            return pages.show(SecondFactorPage(shell: shell(signedIn), codes: codes, isNew: false))
        } catch let error as KeybearerError where Self.isCodeProblem(error) {
            return try await show(signedIn, after: error)
        }
    }

    /// `POST /account/second-factor/remove`: turns it off.
    @Sendable func turnOff(_ context: RequestContext, _ signedIn: SessionService.SignedIn) async throws -> Response {
        if let refusal = confirmFirst(signedIn) { return refusal }
        let code = try context.form()["code"] ?? ""
        do {
            try await service.turnOff(code: code, for: signedIn, from: context.client)
            return pages.redirect(to: "/account?secondFactor=off")
        } catch let error as KeybearerError where Self.isCodeProblem(error) {
            return try await show(signedIn, after: error)
        }
    }

    private static func isCodeProblem(_ error: KeybearerError) -> Bool {
        [.validationFailed, .rateLimited].contains(error.code)
    }

    private func confirmFirst(_ signedIn: SessionService.SignedIn) -> Response? {
        guard signedIn.account.user.hasPassword else { return pages.redirect(to: "/account") }
        if signedIn.isRecent { return nil }
        return pages.redirect(
            to: "/confirm?next=" + DashboardResponder.escape(pages.place.path(Routes.secondFactor)))
    }

    private func show(
        _ signedIn: SessionService.SignedIn, after error: KeybearerError? = nil
    ) async throws -> Response {
        let status = try await service.status(of: signedIn.account.user.id)
        let page =
            if let status {
                SecondFactorPage(
                    shell: shell(signedIn), status: SecondFactorStatus(status),
                    codeError: error.map { $0.fields["code"] ?? $0.message })
            } else {
                SecondFactorPage(shell: shell(signedIn), setup: setup(service.makeSecret(), signedIn))
            }
        var response = pages.show(page, error?.code.status ?? .ok)
        if let wait = error?.retryAfter { response.headers[.retryAfter] = String(wait.secondsRoundedUp) }
        return response
    }

    private func setup(_ app: OneTimePassword, _ signedIn: SessionService.SignedIn) -> AppSetup {
        AppSetup(app, issuer: issuer, account: signedIn.account.user.email.rawValue)
    }

    private func shell(_ signedIn: SessionService.SignedIn) -> DashboardShell {
        DashboardShell(of: signedIn.account, section: .account)
    }
}
