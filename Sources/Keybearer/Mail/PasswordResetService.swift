/// New passwords for people who forgot theirs, by a link in a mail. Never around a second factor, and never for an account
/// without a password.
package final class PasswordResetService: Sendable {
    private let context: ServiceContext
    private let hasher: PasswordHasher
    private let keys: KeyService
    private let secondFactors: SecondFactorService
    private let throttle: SignInThrottle
    private let propagation: any ChangePropagation
    private let node: Node?

    init(
        context: ServiceContext, hasher: PasswordHasher, keys: KeyService, secondFactors: SecondFactorService,
        throttle: SignInThrottle, propagation: any ChangePropagation, node: Node?
    ) {
        self.context = context
        self.hasher = hasher
        self.keys = keys
        self.secondFactors = secondFactors
        self.throttle = throttle
        self.propagation = propagation
        self.node = node
    }

    /// A link that can be used.
    package struct Usable: Sendable {
        package let link: MailLink
        /// Whose password it resets.
        package let account: Account
        /// Whether a code of the account's app is wanted besides.
        package let needsCode: Bool
        /// Whether it also takes the account from whoever has it: nobody has shown before that the address is theirs. The
        /// key is replaced then, and identities at providers and devices are forgotten.
        package var isTakeover: Bool { !account.user.isEmailVerified }
    }

    /// Whether mails are sent.
    package var isOn: Bool { context.settings.isMailOn }

    /// Notes that somebody wants a link. Whether there is an account with this address is found out when the mail is sent,
    /// so that neither the answer nor its time tells.
    ///
    /// - Throws: `VALIDATION_FAILED` with the field `email` for what no address is; `UNAVAILABLE`.
    package func request(_ text: String, from address: IPAddress) async throws {
        guard isOn else { throw KeybearerError(.notFound, "This service sends no mail.") }
        guard let email = EmailAddress(text) ?? EmailAddress.legacyForm(text) else {
            throw KeybearerError.validation(["email": "Enter an e-mail address such as ada@example.com."])
        }
        try await context.store.addMail(
            NewMail(
                id: .random(from: context.random), .resetPassword, to: .address(email, of: nil),
                at: context.clocks.wall(), requester: NewMail.requester(at: address),
                address: address == .localSocket ? nil : address, userAgent: RequestOrigin.current?.userAgent))
    }

    /// The link with a code; nil where it cannot be used. It changes nothing, so that a mail scanner or a preview can look.
    ///
    /// - Throws: `UNAVAILABLE`, also for a tag that is not recognised by a server that may lack a master key.
    package func find(_ code: MailCode) async throws -> Usable? {
        switch context.origin(of: code.characters, kind: .mailLink, at: node) {
        case .genuine: break
        case .forged: return nil
        case .unknown: throw KeybearerError.unavailable()
        }
        let found = try await context.store.mailLink(codeDigest: code.digest, now: context.clocks.wall())
        guard let (link, now) = found, link.purpose == .resetPassword, link.isUsable(at: now),
            let userID = link.userID, let account = try await context.store.credentials(of: userID),
            Self.isGood(link, for: account)
        else { return nil }
        if !account.account.user.isEmailVerified, try await !context.store.canTakeOverByMail(userID) { return nil }
        return Usable(link: link, account: account.account, needsCode: account.hasSecondFactor)
    }

    private static func isGood(_ link: MailLink, for found: StoredCredentials) -> Bool {
        let user = found.account.user
        return user.status == .active && user.hasPassword && user.email == link.email
            && found.password.version == link.passwordVersion && (user.isEmailVerified || !found.hasSecondFactor)
    }

    /// Sets a new password; all sessions end. Returns when that holds on every node.
    ///
    /// - Parameter otp: a code of the account's app, or a recovery code.
    /// - Returns: false where the link is of no use any more.
    /// - Throws: `VALIDATION_FAILED` with the fields `password`, `code`; `RATE_LIMITED`.
    package func reset(
        by code: MailCode, to password: Password, otp: String, from address: IPAddress
    ) async throws -> Bool {
        guard let usable = try await find(code) else { return false }
        let user = usable.account.user
        if let problem = password.problem(email: user.email.rawValue, name: user.name) {
            throw KeybearerError.validation(["password": problem])
        }
        do {
            guard usable.needsCode else { return try await commit(usable, code, password, nil, from: address) }
            // Throttled like a sign-in: who reads the mail must not guess a code here.
            return try await throttle.attempt(user.email, from: address, clears: { _ in false }) {
                guard try await context.store.countAttempt(ofMailLink: code.digest) else { return false }
                guard let proof = try await secondFactors.proof(of: otp, for: user.id) else {
                    throw KeybearerError.wrongCode
                }
                return try await commit(usable, code, password, proof, from: address)
            }
        } catch let error as KeybearerError where error.isWrongCode {
            throw KeybearerError.validation(["code": error.message])
        } catch let error as KeybearerError where error.isEndOfAuthority {
            // The password was changed, or the account disabled, meanwhile.
            return false
        } catch let error as KeybearerError where error.code == .unauthorized {
            // Two-step sign-in was turned on meanwhile.
            throw KeybearerError.validation(["code": "Enter a code of your authenticator app."])
        }
    }

    private func commit(
        _ usable: Usable, _ code: MailCode, _ password: Password, _ proof: SecondFactorProof?, from address: IPAddress
    ) async throws -> Bool {
        let (link, account) = (usable.link, usable.account)
        let takeover =
            usable.isTakeover
            ? try keys.makeReplacement(of: account.key.version, userID: account.user.id, request: nil).0 : nil
        // It replaces this version of the password and no other.
        let authority = Authority(.password(version: link.passwordVersion ?? 0, of: account.user.id), from: address)
        return await propagation.waitUntilApplied(
            try await context.store.resetPassword(
                to: try await hasher.hash(password), by: link, codeDigest: code.digest, proof: proof,
                takeover: takeover, authority: authority,
                audit: context.event(
                    .passwordReset, by: authority, user: account.user.id,
                    detail: usable.isTakeover ? "key replaced" : proof?.detail)))
    }
}
