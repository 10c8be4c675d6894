import HTTPTypes
import Hummingbird
import Keybearer
import Logging
import NIOCore

/// Answers the pages: where the request comes from first, then who is signed in, then the path, then the handler.
struct DashboardResponder: Sendable {
    let sessions: SessionService
    let portalLinks: PortalLinkService
    let bodies: BodyReader
    let crossSite: CrossSiteCheck
    let frames: FramePolicy
    let renderer: PageRenderer
    let random: RandomSource
    let place: Place
    let cookie: SessionCookie
    /// What tells devices apart; nil where no mail tells of new ones.
    let devices: DeviceCookie?
    let challenges: Challenges
    let logger: Logger

    func respond(to context: RequestContext, matched: RouteTable.MatchedPath?, route: Route?) async -> Response {
        // What is shown in a frame knows no other session than a portal link's.
        var isPortal = context.place == .frame || route?.path == Routes.portal
        let device = devices.map { cookie in
            RequestDevice(
                context, cookie,
                getsCookie: CrossSiteCheck.isUnsafe(context.request.method) || route?.path == Routes.providerCallback,
                random: random)
        }
        var response = await KnownDevice.$current.withValue(device?.digest) {
            await respond(to: context, matched: matched, route: route, isPortal: &isPortal)
        }
        if let devices, let number = device?.newNumber {
            response.headers.append(HTTPField(name: .setCookie, value: devices.set(number)))
        }
        if isPortal { frames.allow(&response) }
        return response
    }

    /// - Parameter isPortal: becomes true where a portal link opened the session.
    private func respond(
        to original: RequestContext, matched: RouteTable.MatchedPath?, route: Route?, isPortal: inout Bool
    ) async -> Response {
        var context = original
        do {
            let method = context.request.method
            if CrossSiteCheck.isUnsafe(method), !crossSite.allows(context) {
                throw KeybearerError(.forbidden, "This request did not come from a page of this service.")
            }
            guard context.place == .window || frames.isOpen else { throw Self.notInFrames }
            let hasBody = route != nil && CrossSiteCheck.isUnsafe(method)
            if case .anyone(let handler) = route?.access, context.place == .window || route?.path == Routes.portal {
                if hasBody, let problem = await bodies.read(into: &context) { throw problem }
                return try await RequestOrigin.$current.withValue(context.origin) { try await handler(context) }
            }
            // A forgery keeps nobody reading; everything else is decided behind the body's last byte.
            guard let token = cookie.token(in: context), !hasBody || !sessions.isForged(token) else {
                return signInFirst(context)
            }
            let problem = hasBody ? await bodies.read(into: &context) : nil
            guard let signedIn = try await signedIn(by: token, context) else {
                return try await afterEnd(of: token, context)
            }
            isPortal = isPortal || signedIn.session.portal != nil
            context.logged?.isOf(signedIn.account.user.id)
            if let problem { throw problem }
            if case .session(let handler, let sections, let action) = route?.access {
                try Self.confine(signedIn.session.portal, to: sections, context)
                try WorkspaceGuard.require(action, of: signedIn.account, context)
                let origin = context.origin.via(signedIn.session.portal?.tokenID)
                return try await RequestOrigin.$current.withValue(origin) { try await handler(context, signedIn) }
            }
            guard let matched else { throw KeybearerError(.notFound, "There is nothing at this address.") }
            if case .anyone = route?.access { throw Self.notInFrames }
            var response = failure(
                KeybearerError(.methodNotAllowed, "This address does not answer \(method.rawValue)."), of: context)
            response.headers[.allow] = matched.allow
            return response
        } catch let error as KeybearerError where error.isEndOfAuthority {
            // The session ended during its own request.
            return signInFirst(context)
        } catch {
            return failure(error, of: context, on: route)
        }
    }

    private static let notInFrames = KeybearerError(.forbidden, "This page is not shown inside another page.")

    /// The session of a token, where the request's place has it: a frame never shows one that a sign-in started.
    func signedIn(by token: SessionToken, _ context: RequestContext) async throws -> SessionService.SignedIn? {
        guard let found = try await sessions.find(token) else { return nil }
        return context.place == .window || found.session.portal != nil ? found : nil
    }

    /// Who is signed in by more than a portal link, which opens a part of one workspace alone.
    func person(_ context: RequestContext) async throws -> SessionService.SignedIn? {
        guard let token = cookie.token(in: context), let found = try await signedIn(by: token, context),
            found.session.portal == nil
        else { return nil }
        return found
    }

    /// Refuses what a portal link does not open.
    ///
    /// - Throws: `FORBIDDEN`.
    private static func confine(
        _ portal: PortalAccess?, to sections: Set<PortalSection>, _ context: RequestContext
    ) throws(KeybearerError) {
        guard let portal else { return }
        let workspace = context.parameters["workspaceID"]
        guard sections.contains(portal.section),
            workspace == nil || portal.workspaceID.map({ $0.rawValue == workspace }) ?? true
        else {
            throw KeybearerError(.forbidden, "The link that signed you in does not open this page.")
        }
    }

    /// Leads a browser whose portal session has ended back to the product; anyone else signs in.
    private func afterEnd(of token: SessionToken, _ context: RequestContext) async throws -> Response {
        guard !context.wantsJSON, let back = try await portalLinks.returnURL(ofEnded: token) else {
            return signInFirst(context)
        }
        var response = lead(back, from: context, isSession: true)
        // A frame keeps it: loaded again, it has the same link.
        if context.place == .window { response.headers[.setCookie] = cookie.remove() }
        return response
    }

    /// The way back to the product for a browser whose portal session has ended; nil for any other.
    func wayBack(_ context: RequestContext) async throws -> Response? {
        guard let token = cookie.token(in: context), case nil = try await sessions.find(token),
            try await portalLinks.returnURL(ofEnded: token) != nil
        else { return nil }
        return try await afterEnd(of: token, context)
    }

    /// Leads back to the product, which signs its user in again by another link.
    ///
    /// Browsers stop a form whose answer redirects to another origin (`form-action`): a form gets a page that goes there.
    /// In a frame, a page has a link that leads the whole window there.
    func lead(_ back: ReturnURL, from context: RequestContext, isSession: Bool = false) -> Response {
        let target = back.adding("reason", "session_expired")
        let isInFrame = context.place == .frame
        guard isInFrame || CrossSiteCheck.isUnsafe(context.request.method) else { return Self.leave(to: target) }
        var response = show(PortalPage(end: isSession ? .session : .link, back: target), .gone)
        if isInFrame { return response }
        response.headers[HeaderName.refresh] = "0; url=\(target)"
        return response
    }

    /// Sends a person to the sign-in page, and back afterwards if it was a page that was asked for.
    private func signInFirst(_ context: RequestContext) -> Response {
        if context.wantsJSON { return failure(KeybearerError(.unauthorized, "Sign in first."), of: context) }
        // The sign-in page is in no frame: the product makes another link.
        if context.place == .frame { return show(PortalPage(end: .session), .gone) }
        let path = context.request.head.path ?? "/"
        let isPage = context.request.method == .get && path != "/"
        return redirect(to: isPage ? "/sign-in?next=\(Self.escape(place.path(path)))" : "/sign-in")
    }

    /// Any failure, as a page or, for scripts, in the envelope.
    func failure(_ error: any Error, of context: RequestContext, on route: Route? = nil) -> Response {
        let known = error as? KeybearerError ?? KeybearerError(.internalError, "Something went wrong.", cause: error)
        if known.isLogged {
            logger.error(
                "A page failed.",
                metadata: [
                    "request": "\(context.requestID)", "code": "\(known.code.rawValue)",
                    "cause": "\(known.cause.map { String(reflecting: $0) } ?? "none")",
                ])
        }
        var response: Response
        if context.wantsJSON {
            response =
                APIResponse.json(
                    Envelope.failure(
                        known.code, message: known.message, fields: known.fields, requestID: context.requestID),
                    status: known.code.status
                ).response
        } else if known.code == .httpsRequired {
            response = httpsRequired(context)
        } else {
            let status = known.code.status
            let isOurFault = known.code == .internalError
            let page = ErrorPage(
                status: status.code, message: isOurFault ? nil : known.message, requestID: context.requestID,
                outcome: KeyRequestOutcome(after: known, of: context, on: route))
            response = show(page, status)
        }
        if known.code == .unauthorized { response.headers[.wwwAuthenticate] = challenges.session }
        if let wait = known.retryAfter { response.headers[.retryAfter] = String(wait.secondsRoundedUp) }
        return response
    }

    private func httpsRequired(_ context: RequestContext) -> Response {
        // Secure for all but the cookie: a browser on this machine.
        let page = HTTPSRequiredPage(
            authority: context.plainAuthority, isLocal: context.isSecure, home: place.path("/"))
        var response = show(page, .forbidden)
        // Browsers ignore it over plain HTTP, and complain.
        response.headers[HeaderName.crossOriginOpenerPolicy] = nil
        return response
    }

    /// A page as HTML, with the headers that every page has, and a nonce of its own for its one script.
    func show<Model: Page>(_ page: Model, _ status: HTTPResponse.Status = .ok) -> Response {
        let nonce = String(decoding: random.base62(count: 22), as: UTF8.self)
        let style = Model.embedsStylesheet ? "'nonce-\(nonce)'" : "'self'"
        let policy =
            "default-src 'none'; style-src \(style); script-src 'nonce-\(nonce)'; img-src 'self' data:; "
            + "connect-src 'self'; form-action 'self'; \(FramePolicy.nobody); base-uri 'none'"
        return Response(
            status: status,
            headers: [
                .contentType: "text/html; charset=utf-8", .cacheControl: "no-store", HeaderName.csp: policy,
                HeaderName.referrerPolicy: "same-origin", HeaderName.crossOriginOpenerPolicy: "same-origin",
            ],
            body: ResponseBody(byteBuffer: ByteBuffer(string: renderer.render(page, nonce: nonce))))
    }

    /// Leads to a page of this server.
    ///
    /// - Parameter local: its path; see ``Place``.
    func redirect(to local: String) -> Response { Self.leave(to: place.path(local)) }

    /// Leads to another site: a URL that the operator or the product has named.
    static func leave(to url: String) -> Response {
        Response(status: .seeOther, headers: [.location: url, .cacheControl: "no-store"])
    }

    /// Escapes a path for use as a query's value.
    static func escape(_ text: String) -> String {
        text.utf8.map { byte -> String in
            let isPlain = (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
            if isPlain || "-_.~/".utf8.contains(byte) { return String(UnicodeScalar(byte)) }
            let digits = String(byte, radix: 16, uppercase: true)
            return "%" + (digits.count == 1 ? "0" : "") + digits
        }.joined()
    }
}

extension RequestContext {
    /// Whether a script asked, and not a person's navigation.
    var wantsJSON: Bool { headers[.accept]?.contains("application/json") ?? false }

    /// What the browser says of itself.
    var userAgent: String { headers[.userAgent] ?? "" }

    /// What the audit log says of the request.
    var origin: RequestOrigin { RequestOrigin(userAgent: userAgent, requestID: requestID) }
}
