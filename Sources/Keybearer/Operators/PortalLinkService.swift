/// Signs the product's users in by links that the product's backend makes for them.
public final class PortalLinkService: Sendable {
    private let context: ServiceContext
    private let writes: WriteService
    private let sessions: SessionService
    private let node: Node?

    init(context: ServiceContext, writes: WriteService, sessions: SessionService, node: Node?) {
        self.context = context
        self.writes = writes
        self.sessions = sessions
        self.node = node
    }

    /// What becomes of a code.
    public enum Found: Sendable {
        /// It signs this account in.
        case usable(PortalLink, Account)
        /// It was used, or its time is over.
        case ended(PortalLink)
        /// Nobody made it here.
        case none
    }

    /// Makes a link. The code is in this answer and nowhere else.
    ///
    /// - Parameters:
    ///   - returnURL: where the pages lead back; checked against the setting `portal-return-urls`.
    ///   - life: how long it can be used.
    /// - Throws: `NOT_FOUND`; `CONFLICT` where the account is disabled; `VALIDATION_FAILED` with the field `returnUrl`.
    package func create(
        for user: Reference<UserID>, section: PortalSection = .apiKey, workspace: Reference<WorkspaceID>? = nil,
        returnURL: String? = nil, life: Duration = PortalLink.usualLife, request: IdempotentRequest? = nil,
        by caller: OperatorCaller
    ) async throws -> (link: PortalLink, code: PortalCode) {
        guard case .operatorToken(let tokenID) = caller.authority.credential else {
            throw KeybearerError(.forbidden, "Portal links are made by operator tokens.")
        }
        var back: ReturnURL?
        if let returnURL {
            do {
                back = try ReturnURL(parsing: returnURL, allowed: context.settings.portalReturnURLs)
            } catch {
                throw KeybearerError.validation(["returnUrl": "\(error.description.capitalisedSentence)."])
            }
        }
        let account = try await writes.existing(user)
        var workspaceID: WorkspaceID?
        if let workspace { workspaceID = try await writes.existingID(workspace) }
        let now = context.clocks.wall()
        let (code, record) = PortalCode.mint(from: context.vault.current, random: context.random)
        let link = PortalLink(
            id: .random(from: context.random), userID: account.user.id, tokenID: tokenID, section: section,
            workspaceID: workspaceID, returnURL: back, createdAt: now, expiresAt: now.advanced(by: life))
        let stamped = try await context.store.createPortalLink(
            link, code: record, request: request, by: caller.authority,
            audit: context.event(
                .portalLinkCreated, by: caller.authority, user: link.userID, workspace: workspaceID,
                detail: link.id.rawValue))
        return (stamped, code)
    }

    /// Whether a code was not made here: told from memory, so that a forgery never reaches the store.
    package func isForged(_ code: PortalCode) -> Bool {
        context.origin(of: code.characters, kind: .portalLink, at: node) == .forged
    }

    /// What a code is good for. It changes nothing, so that a mail scanner or a preview can look.
    ///
    /// - Throws: `UNAVAILABLE`, also for a tag that is not recognised by a server that may lack a master key.
    package func find(_ code: PortalCode) async throws -> Found {
        switch context.origin(of: code.characters, kind: .portalLink, at: node) {
        case .genuine: break
        case .forged: return .none
        case .unknown: throw KeybearerError.unavailable()
        }
        let found = try await context.store.portalLink(codeDigest: code.digest, now: context.clocks.wall())
        guard let (link, now) = found else { return .none }
        guard link.isUsable(at: now), let account = try await context.store.account(id: link.userID),
            account.user.status == .active
        else { return .ended(link) }
        return .usable(link, account)
    }

    /// Uses a code up, and starts the session that it opens.
    ///
    /// - Parameter cookie: the session that the browser has so far: it ends as the new one begins.
    /// - Returns: nil where the code was used or has ended meanwhile.
    package func use(
        _ code: PortalCode, _ link: PortalLink, from address: IPAddress, userAgent: String,
        inPlaceOf cookie: SessionToken?
    ) async throws -> (session: Session, token: SessionToken)? {
        let now = context.clocks.wall()
        let authority = Authority(.operatorToken(link.tokenID), from: address)
        let (token, record) = SessionToken.mint(from: context.vault.current, random: context.random)
        let session = Session(
            id: .random(from: context.random), userID: link.userID, createdAt: now, authenticatedAt: now,
            lastSeenAt: now, address: address, userAgent: String(userAgent.prefix(200)),
            portal: PortalAccess(
                tokenID: link.tokenID, section: link.section, workspaceID: link.workspaceID,
                returnURL: link.returnURL))
        let started = try await context.store.usePortalLink(
            codeDigest: code.digest, session: session, token: record,
            replacing: try await sessions.replaced(by: cookie, authority),
            audit: context.event(.sessionStarted, by: authority, user: link.userID, detail: link.id.rawValue))
        return started.map { ($0, token) }
    }

    /// Whether a session was opened by this very link.
    package func isOpened(by link: PortalLink, _ token: SessionToken) async throws -> Bool {
        try await context.store.portalLink(sessionDigest: token.digest)?.id == link.id
    }

    /// Where a browser is led whose portal session has ended; nil where there is no such place.
    package func returnURL(ofEnded token: SessionToken) async throws -> ReturnURL? {
        guard context.origin(of: token.characters, kind: .session, at: node) == .genuine else { return nil }
        return try await context.store.portalLink(sessionDigest: token.digest)?.returnURL
    }
}

extension String {
    /// With a capital letter first.
    var capitalisedSentence: String { prefix(1).uppercased() + dropFirst() }
}
