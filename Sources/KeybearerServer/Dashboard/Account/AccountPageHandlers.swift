import HTTPTypes
import Hummingbird
import Keybearer
import NIOCore

/// The account's own page: its password, its identities at a provider, and its sessions.
struct AccountPageHandlers: Sendable {
    let signIn: SignInService
    let sessions: SessionService
    let identities: ConnectedIdentityService
    let secondFactors: SecondFactorService
    let emails: EmailService
    let pages: DashboardResponder

    /// `GET /account`
    @Sendable func page(_ context: RequestContext, _ signedIn: SessionService.SignedIn) async throws -> Response {
        let notice = Notice.asked(
            by: context.query ?? [:],
            of: [
                AccountPage.passwordChanged, AccountPage.identityDisconnected, AccountPage.secondFactorOff,
                AccountPage.sessionEnded, AccountPage.verificationSent, AccountPage.emailAsked,
                AccountPage.workspaceDeleted, AccountPage.workspaceLeft,
            ])
        return try await show(signedIn, .ok, notice: notice)
    }

    /// `POST /account/password`: needs the current password; other sessions end.
    @Sendable func changePassword(_ context: RequestContext, _ signedIn: SessionService.SignedIn) async throws
        -> Response
    {
        let form = try context.form()
        let user = signedIn.account.user
        do {
            try await signIn.changePassword(
                of: user, current: Password(form["currentPassword"] ?? ""), new: Password(form["newPassword"] ?? ""),
                in: signedIn.session.id, from: context.client)
            return pages.redirect(to: "/account?password=changed")
        } catch let error as KeybearerError where error.code == .validationFailed {
            return try await show(signedIn, error.code.status, fields: error.fields)
        } catch let error as KeybearerError where error.code == .rateLimited {
            var response = try await show(signedIn, error.code.status, fields: ["currentPassword": error.message])
            response.headers[.retryAfter] = String((error.retryAfter ?? .seconds(1)).secondsRoundedUp)
            return response
        }
    }

    /// `POST /account/email`: sends a link to another address. Needs a recent sign-in.
    @Sendable func changeEmail(
        _ context: RequestContext, _ signedIn: SessionService.SignedIn
    ) async throws -> Response {
        guard emails.isOn else { throw Self.noMail }
        let email = try context.form()["email"] ?? ""
        return try await RecentSignIn(pages: pages).require(context, signedIn, next: "/account") {
            do {
                try await emails.askForChange(to: email, of: signedIn, from: context.client)
                return pages.redirect(to: "/account?email=asked")
            } catch let error as KeybearerError where error.code == .validationFailed {
                return try await show(signedIn, error.code.status, fields: error.fields, typedEmail: email)
            }
        }
    }

    /// `POST /account/email/verify`: sends another mail that verifies the address.
    @Sendable func askForVerification(
        _ context: RequestContext, _ signedIn: SessionService.SignedIn
    ) async throws -> Response {
        guard emails.isOn else { throw Self.noMail }
        do {
            try await emails.askForVerification(of: signedIn, from: context.client)
            return pages.redirect(to: "/account?verification=sent")
        } catch let error as KeybearerError where error.code == .conflict {
            return pages.redirect(to: "/account")
        }
    }

    private static let noMail = KeybearerError(.notFound, "This service sends no mail.")

    /// `POST /account/sessions/{sessionID}/end`
    @Sendable func endSession(_ context: RequestContext, _ signedIn: SessionService.SignedIn) async throws -> Response {
        guard let id = context.parameters["sessionID"].flatMap({ SessionID(parsing: $0) }) else {
            throw KeybearerError(.notFound, "There is no such session.")
        }
        try await sessions.end(id, of: signedIn.account.user.id, by: signedIn.authority(from: context.client))
        guard id == signedIn.session.id else { return pages.redirect(to: "/account?session=ended") }
        // One's own session: the same as signing out.
        var response = pages.redirect(to: "/sign-in?signedOut=1")
        response.headers[.setCookie] = pages.cookie.remove()
        return response
    }

    /// `POST /account/identities/{identityID}/disconnect`: nobody signs in with it any more. Needs a recent sign-in.
    @Sendable func disconnect(_ context: RequestContext, _ signedIn: SessionService.SignedIn) async throws -> Response {
        try await RecentSignIn(pages: pages).require(context, signedIn, next: "/account") {
            do {
                try await identities.disconnect(
                    context.parameters["identityID"] ?? "", from: signedIn, at: context.client)
                return pages.redirect(to: "/account?identity=disconnected")
            } catch let error as KeybearerError where error.code == .conflict {
                return try await show(signedIn, error.code.status, notice: Notice(.failure, error.message))
            }
        }
    }

    private func show(
        _ signedIn: SessionService.SignedIn, _ status: HTTPResponse.Status, notice: Notice? = nil,
        fields: [String: String] = [:], typedEmail: String = ""
    ) async throws -> Response {
        let user = signedIn.account.user
        let rows = try await sessions.list(of: user.id).map { session in
            SessionRow(
                id: session.id.rawValue, startedAt: session.createdAt, lastSeenAt: session.lastSeenAt,
                address: session.address.displayName, userAgent: session.userAgent,
                isCurrent: session.id == signedIn.session.id)
        }
        let connected = try await identities.list(of: user).map { IdentityRow($0) }
        let secondFactor = try await secondFactors.status(of: user.id).map { SecondFactorStatus($0) }
        var mail: AccountMail?
        if emails.isOn {
            mail = AccountMail(
                isVerified: user.isEmailVerified, wanted: try await emails.wanted(by: user)?.rawValue,
                typed: typedEmail)
        }
        let page = AccountPage(
            shell: DashboardShell(of: signedIn.account, section: .account), name: user.name,
            email: user.email.rawValue, mail: mail, notice: notice, fields: fields, hasPassword: user.hasPassword,
            identities: connected, secondFactor: secondFactor, sessions: rows)
        return pages.show(page, status)
    }
}
