/// Accounts: making them, changing their password and status, removing them.
public final class AccountService: Sendable {
    private let context: ServiceContext
    private let propagation: any ChangePropagation
    private let hasher: PasswordHasher
    private let throttle: SignInThrottle

    init(
        context: ServiceContext, propagation: any ChangePropagation, hasher: PasswordHasher, throttle: SignInThrottle
    ) {
        self.context = context
        self.propagation = propagation
        self.hasher = hasher
        self.throttle = throttle
    }

    /// Whether anyone may make an account.
    public var isSignUpOpen: Bool { context.settings.isSignUpOpen }

    /// Reads the highest cost that a password here was hashed at, so that a sign-in takes as long for every address, and
    /// raises it where new passwords cost more. Call it before the first sign-in.
    ///
    /// - Throws: `UNAVAILABLE`.
    public func adoptPasswordCost() async throws {
        let stored = try await context.store.storedSetting(.passwordCost)
        if let cost = stored.flatMap({ Int($0) }) { hasher.recordCost(cost) }
        try await context.store.raiseStoredSetting(.passwordCost, to: context.settings.passwordCost)
    }

    /// Makes an account for someone who asks for one.
    ///
    /// Failed sign-ups are throttled by client network: each costs a hash, and a refusal tells whether an address is taken.
    ///
    /// - Throws: `FORBIDDEN` when sign-up is closed; `RATE_LIMITED`; all that
    ///   ``create(name:email:password:isOperator:by:)`` throws.
    public func signUp(name: String, email: String, password: Password, from address: IPAddress) async throws -> Account
    {
        guard isSignUpOpen else {
            throw KeybearerError(.forbidden, "Sign-up is closed. Ask the operator of this service for an account.")
        }
        let wanted = try Self.wanted(name: name, email: email, password: password)
        return try await throttle.attempt(nil, from: address) {
            try await create(wanted, password: password, by: Authority(.anyone, from: address))
        }
    }

    /// Makes an account with its Secret Key and a workspace of its own.
    ///
    /// - Throws: `VALIDATION_FAILED` with the fields `name`, `email`, `password`; `CONFLICT` when the address is
    ///   taken; `UNAVAILABLE`.
    public func create(
        name: String, email: String, password: Password, isOperator: Bool = false, by authority: Authority
    ) async throws -> Account {
        try await create(
            try Self.wanted(name: name, email: email, password: password), password: password, isOperator: isOperator,
            by: authority)
    }

    /// Checks what a new account is given, without making it.
    ///
    /// - Parameter password: nil when it has not been chosen yet.
    /// - Throws: `VALIDATION_FAILED` with the fields `name`, `email`, `password`.
    package static func check(name: String, email: String, password: Password? = nil) throws {
        _ = try wanted(name: name, email: email, password: password)
    }

    /// The name and the address that an account is to have, once all fields are accepted.
    private static func wanted(
        name: String, email: String, password: Password?
    ) throws -> (name: String, email: EmailAddress) {
        let name = NameRules.normalised(name)
        var problems: [String: String] = [:]
        problems["name"] = NameRules.problem(with: name)
        problems["password"] = password?.problem(email: email, name: name)
        do {
            let address = try EmailAddress(parsing: email)
            if problems.isEmpty { return (name, address) }
        } catch {
            problems["email"] = error.message
        }
        throw KeybearerError.validation(problems)
    }

    private func create(
        _ wanted: (name: String, email: EmailAddress), password: Password, isOperator: Bool = false,
        by authority: Authority
    ) async throws -> Account {
        let hash = try await hasher.hash(password)
        let new = try makeAccount(
            name: wanted.name, email: wanted.email, passwordHash: hash, isOperator: isOperator)
        // One that an earlier version stored in another spelling. No version makes such a row any more.
        for older in EmailAddress.spellings(of: wanted.email.rawValue).dropFirst() {
            if try await context.store.account(email: older) != nil { throw KeybearerError.emailTaken }
        }
        try await context.claimNewDatabase()
        let audit = context.event(.userCreated, by: authority, user: new.user.id, workspace: new.workspaceID)
        return try await context.store.createAccount(new, by: authority, audit: audit)
    }

    private func makeAccount(
        name: String, email: EmailAddress, passwordHash: String, isOperator: Bool
    ) throws -> NewAccount {
        let now = context.clocks.wall()
        let userID = UserID.random(from: context.random)
        let vault = context.vault.current
        let secret = try vault.issue(prefix: context.settings.keyPrefix, random: context.random)
        let key = APIKey(
            id: .random(from: context.random), version: 1, shownPrefix: secret.shownPrefix, generatedAt: now)
        return NewAccount(
            user: User(id: userID, email: email, name: name, isOperator: isOperator, createdAt: now),
            passwordHash: passwordHash, key: key,
            sealedKey: try vault.seal(secret, userID: userID, keyID: key.id, version: 1),
            workspaceID: .random(from: context.random), workspaceName: "\(name)’s workspace")
    }

    /// The account with this id or address.
    ///
    /// - Throws: `NOT_FOUND`.
    public func find(_ idOrEmail: String) async throws -> Account {
        var account: Account?
        if let id = UserID(parsing: idOrEmail) {
            account = try await context.store.account(id: id)
        } else {
            account = try await context.account(spelt: idOrEmail)
        }
        guard let account else { throw Self.noAccount }
        return account
    }

    /// The account with this id.
    ///
    /// - Throws: `NOT_FOUND`.
    public func account(_ id: UserID) async throws -> Account {
        guard let account = try await context.store.account(id: id) else { throw Self.noAccount }
        return account
    }

    /// A page of accounts, oldest first, and how many there are.
    public func list(page: Int, limit: Int) async throws -> (page: [Account], total: Int) {
        try await context.store.accounts(offset: PageOffset.of(page: page, limit: limit), limit: limit)
    }

    /// Changes the password of someone who gives the current one; other sessions end.
    ///
    /// Throttled like a sign-in: who stole a session must not guess the password here.
    ///
    /// - Throws: `VALIDATION_FAILED` with the fields `currentPassword`, `newPassword`; `RATE_LIMITED`.
    public func changePassword(
        of user: User, current: Password, new: Password, in session: SessionID, from address: IPAddress
    ) async throws {
        let (stored, _) = try await throttle.attempt(user.email, from: address, clears: { !$0.1 }) {
            guard let stored = try await context.store.password(of: user.id) else {
                throw KeybearerError.authorityEnded("Sign in first.")
            }
            guard current.isWithinLimit else {
                try await hasher.verifyNothing(current.cut)
                throw Self.notYourPassword
            }
            guard try await hasher.verify(current, against: stored.hash) else { throw Self.notYourPassword }
            return (stored, try await context.hasTwin(user))
        }
        // With the version that was verified: a change that was made meanwhile, such as an operator's reset, stands.
        let authority = Authority(
            .session(session, of: user.id, passwordVersion: stored.version), from: address)
        do {
            try await replacePassword(of: user, with: new, field: "newPassword", keeping: session, by: authority)
        } catch let error as KeybearerError where error.isPasswordChanged {
            throw Self.notYourPassword
        }
    }

    private static let notYourPassword = KeybearerError.validation([
        "currentPassword": "This is not your current password."
    ])

    /// Sets a password without the current one, as an operator; all sessions end.
    ///
    /// - Throws: `VALIDATION_FAILED` with the field `password`.
    public func setPassword(of user: User, to password: Password, by authority: Authority) async throws {
        try await replacePassword(of: user, with: password, field: "password", keeping: nil, by: authority)
    }

    private func replacePassword(
        of user: User, with new: Password, field: String, keeping session: SessionID?, by authority: Authority
    ) async throws {
        if let problem = new.problem(email: user.email.rawValue, name: user.name) {
            throw KeybearerError.validation([field: problem])
        }
        await propagation.waitUntilApplied(
            try await context.store.setPassword(
                try await hasher.hash(new), of: user.id, keeping: session, by: authority,
                audit: context.event(.passwordChanged, by: authority, user: user.id)))
    }

    /// Disables or enables an account; answers when it holds on every node.
    public func setStatus(_ status: User.Status, of userID: UserID, by authority: Authority) async throws {
        let action: AuditEvent.Action = status == .active ? .userEnabled : .userDisabled
        await propagation.waitUntilApplied(
            try await context.store.setStatus(
                status, of: userID, by: authority, audit: context.event(action, by: authority, user: userID)))
    }

    /// Removes an account; answers when its key is dead on every node.
    ///
    /// - Throws: `NOT_FOUND`; `CONFLICT` when it is the last Owner of a workspace with other members.
    public func delete(_ userID: UserID, by authority: Authority) async throws {
        await propagation.waitUntilApplied(
            try await context.store.deleteAccount(
                userID, by: authority, audit: context.event(.userDeleted, by: authority, user: userID)))
    }

    /// The latest audit events of an account, newest first.
    public func auditEvents(of userID: UserID?, limit: Int) async throws -> [AuditEvent] {
        try await context.store.auditEvents(userID: userID, limit: limit)
    }

    static let noAccount = KeybearerError(.notFound, "There is no such account.")
}
