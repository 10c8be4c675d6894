import HTTPTypes
import Hummingbird
import Keybearer
import NIOCore

/// Signing in by a link of the product's backend.
struct PortalHandlers: Sendable {
    let links: PortalLinkService
    let pages: DashboardResponder

    /// `GET /portal?code=…`: changes nothing.
    @Sendable func page(_ context: RequestContext) async throws -> Response {
        let (code, found) = try await find(context.query?["code"])
        guard let code, case .usable(let link, let account) = found else {
            return try await goOn(with: found, context) ?? ended(found, context)
        }
        return try await show(code, link, account, context)
    }

    /// Browsers load a frame again by the address that it began with: its link was used, and by this very session.
    private func goOn(with found: PortalLinkService.Found, _ context: RequestContext) async throws -> Response? {
        guard context.place == .frame, case .ended(let link) = found, let token = pages.cookie.token(in: context),
            let present = try await pages.signedIn(by: token, context),
            try await links.isOpened(by: link, token)
        else { return nil }
        return pages.redirect(to: DashboardShell.start(of: present.account, in: present.session.portal) ?? "/")
    }

    /// `POST /portal`: uses the code up, and signs in.
    @Sendable func open(_ context: RequestContext) async throws -> Response {
        let form = try context.form()
        let (code, found) = try await find(form["code"])
        guard let code, case .usable(let link, let account) = found else { return ended(found, context) }
        let present = try await signedIn(context)
        if let present, present.account.user.id != account.user.id,
            form["replaces"] != present.account.user.id.rawValue
        {
            // Nobody is signed out who was not named to the person who pressed the button.
            return try await show(code, link, account, context)
        }
        let started = try await links.use(
            code, link, from: context.client, userAgent: context.userAgent,
            inPlaceOf: pages.cookie.token(in: context))
        guard let (session, token) = started else { return ended(.ended(link), context) }
        var response = pages.redirect(to: DashboardShell.start(of: account, in: session.portal) ?? "/")
        response.headers[.setCookie] = pages.cookie.set(token, for: PortalLink.sessionLife, in: context.place)
        return response
    }

    private func find(_ text: String?) async throws -> (code: PortalCode?, found: PortalLinkService.Found) {
        guard let code = text.flatMap({ PortalCode(parsing: $0) }) else { return (nil, .none) }
        return (code, try await links.find(code))
    }

    private func signedIn(_ context: RequestContext) async throws -> SessionService.SignedIn? {
        guard let token = pages.cookie.token(in: context) else { return nil }
        return try await pages.signedIn(by: token, context)
    }

    private func show(
        _ code: PortalCode, _ link: PortalLink, _ account: Account, _ context: RequestContext
    ) async throws -> Response {
        let present = try await signedIn(context)
        let other = present.flatMap { $0.account.user.id == account.user.id ? nil : $0.account.user }
        // A session that a password started lasts longer and opens more: it does not end without a press either.
        let isReplacedUnasked = present == nil || other == nil && present?.session.portal != nil
        let page = PortalPage(
            entry: PortalPage.Form(
                code: code.characters, name: account.user.name, email: account.user.email.rawValue,
                otherEmail: other?.email.rawValue, replaces: other?.id.rawValue,
                opens: PortalPage.words(for: link.section),
                opensByItself: link.opensByItself && isReplacedUnasked))
        return withoutReferrer(pages.show(page))
    }

    /// Back to the product, which makes another link; or a page that says so.
    private func ended(_ found: PortalLinkService.Found, _ context: RequestContext) -> Response {
        if case .ended(let link) = found, let back = link.returnURL {
            return withoutReferrer(pages.lead(back, from: context))
        }
        return withoutReferrer(pages.show(PortalPage(end: .link), .gone))
    }

    /// The code is in the page's address. Without any referrer at all, browsers would not say in `Origin` either that the
    /// form is the page's own.
    private func withoutReferrer(_ response: Response) -> Response {
        var response = response
        response.headers[HeaderName.referrerPolicy] = "strict-origin"
        return response
    }
}
