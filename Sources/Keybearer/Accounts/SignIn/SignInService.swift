/// Everything that begins with a password that somebody types: sign-in, sign-up, confirming a session, changing a
/// password.
///
/// Passwords are checked in one place, with one read of the account and its password, and throttled there.
public final class SignInService: Sendable {
    let context: ServiceContext
    private let accounts: AccountService
    let sessions: SessionService
    let secondFactors: SecondFactorService
    package let hasher: PasswordHasher
    let throttle: SignInThrottle
    let failures: FailedSignIns
    let node: Node?

    init(
        context: ServiceContext, accounts: AccountService, sessions: SessionService,
        secondFactors: SecondFactorService, hasher: PasswordHasher, throttle: SignInThrottle, failures: FailedSignIns,
        node: Node?
    ) {
        self.context = context
        self.accounts = accounts
        self.sessions = sessions
        self.secondFactors = secondFactors
        self.hasher = hasher
        self.throttle = throttle
        self.node = node
        self.failures = failures
    }

    /// Whether anyone may make an account.
    public var isSignUpOpen: Bool { context.settings.isSignUpOpen }

    /// Reads the highest cost that a password here was hashed at, so that a sign-in takes as long for every address,
    /// and raises it where new passwords cost more. Call it before the first sign-in.
    ///
    /// - Throws: `UNAVAILABLE`.
    public func adoptPasswordCost() async throws {
        let stored = try await context.store.storedSetting(.passwordCost)
        if let cost = stored.flatMap({ Int($0) }) { hasher.recordCost(cost) }
        try await context.store.raiseStoredSetting(.passwordCost, to: context.settings.passwordCost)
    }

    /// Where a sign-in stands when the password was right.
    public enum Step: Sendable {
        /// The person is in.
        case signedIn(SessionService.SignedIn, SessionToken)
        /// The account has a second factor: its code is wanted too.
        case codeNeeded(PendingSignInToken)
    }

    /// Starts a session for someone who knows the password of an account without a second factor.
    ///
    /// - Throws: as ``begin(email:password:from:userAgent:inPlaceOf:)``; `UNAUTHORIZED` also where a code is wanted.
    public func withPassword(
        email: String, password: Password, from address: IPAddress, userAgent: String,
        inPlaceOf cookie: SessionToken? = nil
    ) async throws -> (signedIn: SessionService.SignedIn, token: SessionToken) {
        let step = try await begin(
            email: email, password: password, from: address, userAgent: userAgent, inPlaceOf: cookie)
        guard case .signedIn(let signedIn, let token) = step else { throw KeybearerError.codeNeeded }
        return (signedIn, token)
    }

    /// Signs in someone who knows the password, or asks for a code where the account has a second factor.
    ///
    /// An unknown address takes as long as a wrong password and reads the same.
    ///
    /// - Parameter cookie: the session that the same browser has so far, whosever it is: it ends as the new one begins.
    /// - Throws: `UNAUTHORIZED`; `RATE_LIMITED` after too many failures; `UNAVAILABLE`.
    public func begin(
        email: String, password: Password, from address: IPAddress, userAgent: String,
        inPlaceOf cookie: SessionToken? = nil
    ) async throws -> Step {
        // All spellings of an address are throttled together, those of accounts that earlier versions made included.
        let name = EmailAddress(email) ?? EmailAddress.legacyForm(email)
        let found = try await check(password, of: name, from: address, or: Self.wrongPassword) { [context] in
            try await context.store.credentials(email: EmailAddress.spellings(of: email)).flatMap {
                $0.account.user.status == .active ? $0 : nil
            }
        }
        if found.hasSecondFactor { return .codeNeeded(try await askForCode(found, from: address)) }
        let (signedIn, token) = try await start(
            for: found.account, passwordVersion: found.password.version, from: address, userAgent: userAgent,
            inPlaceOf: cookie)
        return .signedIn(signedIn, token)
    }

    /// Makes an account for someone who wants one, and starts its first session.
    ///
    /// Failed sign-ups are throttled by client network: each costs a hash, and a refusal tells whether an address is
    /// taken.
    ///
    /// - Throws: `FORBIDDEN` when sign-up is closed; `RATE_LIMITED`; all that
    ///   ``AccountService/create(name:email:password:isOperator:by:)`` throws.
    public func signUp(
        name: String, email: String, password: Password, from address: IPAddress, userAgent: String,
        inPlaceOf cookie: SessionToken? = nil
    ) async throws -> (signedIn: SessionService.SignedIn, token: SessionToken) {
        guard isSignUpOpen else {
            throw KeybearerError(.forbidden, "Sign-up is closed. Ask the operator of this service for an account.")
        }
        // What is refused for its form costs no hash and counts as no failure.
        try AccountService.check(name: name, email: email, password: password)
        let account = try await throttle.attempt(nil, from: address) {
            try await accounts.create(
                name: name, email: email, password: password, by: Authority(.anyone, from: address))
        }
        return try await start(
            for: account, passwordVersion: 1, from: address, userAgent: userAgent, inPlaceOf: cookie)
    }

    /// Puts a new session in the place of one whose holder gives the password again, and a code where the account has a
    /// second factor. Which of the two was wrong is not said.
    ///
    /// - Throws: as ``begin(email:password:from:userAgent:inPlaceOf:)``.
    public func confirm(
        _ signedIn: SessionService.SignedIn, password: Password, code: String = "", from address: IPAddress,
        userAgent: String
    ) async throws -> (signedIn: SessionService.SignedIn, token: SessionToken) {
        let user = signedIn.account.user
        let found = try await check(password, of: user.email, from: address, or: Self.wrongPassword) { [context] in
            try await context.store.credentials(of: user.id).flatMap {
                $0.account.user.status == .active ? $0 : nil
            }
        }
        let authority = Authority(
            .session(signedIn.session.id, of: user.id, passwordVersion: found.password.version), from: address)
        let start = { [sessions] (proof: SignInProof?) in
            try await sessions.start(
                for: found.account, replacing: ReplacedSession(id: signedIn.session.id, userID: user.id),
                action: .sessionConfirmed, by: authority, userAgent: userAgent, proof: proof)
        }
        do {
            guard found.hasSecondFactor else { return try await start(nil) }
            return try await throttle.attempt(user.email, from: address, clears: { _ in !found.hasTwin }) {
                guard let proof = try await secondFactors.proof(of: code, for: user.id) else {
                    throw KeybearerError.wrongCode
                }
                return try await start(SignInProof(proof))
            }
        } catch let error as KeybearerError where error.isPasswordChanged || error.isWrongCode {
            throw Self.wrongPassword
        }
    }

    /// Changes the password of someone who gives the current one; other sessions end.
    ///
    /// Throttled like a sign-in: who stole a session must not guess the password here.
    ///
    /// - Throws: `VALIDATION_FAILED` with the fields `currentPassword`, `newPassword`; `RATE_LIMITED`.
    public func changePassword(
        of user: User, current: Password, new: Password, in session: SessionID, from address: IPAddress
    ) async throws {
        let found = try await check(current, of: user.email, from: address, or: Self.notYourPassword) { [context] in
            guard let found = try await context.store.credentials(of: user.id) else {
                throw KeybearerError.authorityEnded("Sign in first.")
            }
            return found
        }
        // With the version that was verified: a change that was made meanwhile, such as an operator's reset, stands.
        let authority = Authority(
            .session(session, of: user.id, passwordVersion: found.password.version), from: address)
        do {
            try await accounts.replacePassword(
                of: user, with: new, field: "newPassword", keeping: session, by: authority)
        } catch let error as KeybearerError where error.isPasswordChanged {
            throw Self.notYourPassword
        }
    }

    private static let wrongPassword = KeybearerError(.unauthorized, "The e-mail address or the password is wrong.")
    private static let notYourPassword = KeybearerError.validation([
        "currentPassword": "This is not your current password."
    ])

    /// Checks a password that somebody typed, at the same cost whether the account exists or not.
    ///
    /// - Parameters:
    ///   - email: what the attempt counts for; nil where no account can have the address that was given.
    ///   - refusal: what a wrong password is refused with.
    ///   - read: reads the account with its password; nil where nobody may sign in.
    /// - Returns: what was read. A change that relies on it carries the password's version: it commits only while that
    ///   is still the password.
    private func check(
        _ password: Password, of email: EmailAddress?, from address: IPAddress, or refusal: KeybearerError,
        read: () async throws -> StoredCredentials?
    ) async throws -> StoredCredentials {
        // Where a code is wanted too, its failures stay counted: the password alone is no success.
        let clears = { (found: StoredCredentials) in !found.hasTwin && !found.hasSecondFactor }
        let found = try await throttle.attempt(email, from: address, clears: clears) {
            // An account without a password takes as long as one that is not there.
            guard password.isWithinLimit, let found = try await read(), found.account.user.hasPassword else {
                try await hasher.verifyNothing(password.cut)
                throw refusal
            }
            guard try await hasher.verify(password, against: found.password.hash) else {
                let authority = Authority(.anyone, from: address)
                failures.record(context.event(.signInFailed, by: authority, user: found.account.user.id))
                throw refusal
            }
            return found
        }
        await rehashIfBelowCost(password, found)
        return found
    }

    /// Brings a hash to today's cost. Whoever signs in does not fail for it.
    private func rehashIfBelowCost(_ password: Password, _ found: StoredCredentials) async {
        guard hasher.isBelowCost(found.password.hash), let hash = try? await hasher.hash(password) else { return }
        try? await context.store.rehashPassword(hash, of: found.account.user.id, replacing: found.password)
    }

    private func start(
        for account: Account, passwordVersion: Int, from address: IPAddress, userAgent: String,
        inPlaceOf cookie: SessionToken?
    ) async throws -> (signedIn: SessionService.SignedIn, token: SessionToken) {
        let authority = Authority(.password(version: passwordVersion, of: account.user.id), from: address)
        return try await sessions.start(
            for: account, replacing: try await sessions.replaced(by: cookie, authority), action: .sessionStarted,
            by: authority, userAgent: userAgent)
    }
}
