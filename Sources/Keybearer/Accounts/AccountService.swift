/// Accounts: making them, changing their password and status, removing them.
public final class AccountService: Sendable {
    private let context: ServiceContext
    private let propagation: any ChangePropagation
    private let hasher: PasswordHasher

    init(context: ServiceContext, propagation: any ChangePropagation, hasher: PasswordHasher) {
        self.context = context
        self.propagation = propagation
        self.hasher = hasher
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
    static func wanted(
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
            name: wanted.name, email: wanted.email, passwordHash: hash, isOperator: isOperator,
            isEmailVerified: authority.credential == .commandLine)
        // Version 0.1 may have stored this address in another spelling. New rows always use today's form.
        for older in EmailAddress.spellings(of: wanted.email.rawValue).dropFirst() {
            if try await context.store.account(email: older) != nil { throw KeybearerError.emailTaken }
        }
        try await context.claimNewDatabase()
        let audit = context.event(.userCreated, by: authority, user: new.user.id, workspace: new.workspaceID)
        return try await context.store.createAccount(new, by: authority, audit: audit)
    }

    /// - Parameters:
    ///   - passwordHash: empty for an account without a password.
    ///   - imported: the key that the account is to have; nil for a new one.
    func makeAccount(
        name: String, email: EmailAddress, passwordHash: String = "", isOperator: Bool = false,
        externalID: ExternalID? = nil, isEmailVerified: Bool, importing imported: ImportedToken? = nil
    ) throws -> NewAccount {
        let now = context.clocks.wall()
        let userID = UserID.random(from: context.random)
        let vault = context.vault.current
        let secret =
            try imported.map { SecretKey($0) }
            ?? vault.issue(prefix: context.settings.keyPrefix, random: context.random)
        let key = APIKey(
            id: .random(from: context.random), version: 1, shownPrefix: secret.shownPrefix, generatedAt: now)
        return NewAccount(
            user: User(
                id: userID, email: email, name: name, isOperator: isOperator, createdAt: now, externalID: externalID,
                isEmailVerified: isEmailVerified, hasPassword: !passwordHash.isEmpty),
            passwordHash: passwordHash, key: key,
            sealedKey: try vault.seal(secret, userID: userID, keyID: key.id, version: 1),
            workspaceID: .random(from: context.random), workspaceName: NewAccount.workspaceName(of: name),
            importedDigests: imported.map { vault.namedDigests(of: $0.token) } ?? [])
    }

    /// The account with this id, external id (`ext:…`) or address.
    ///
    /// - Throws: `NOT_FOUND`.
    public func find(_ text: String) async throws -> Account {
        var account: Account?
        switch Reference<UserID>(text) {
        case .id(let id): account = try await context.store.account(id: id)
        case .external(let id): account = try await context.store.account(externalID: id)
        case nil: account = try await context.account(spelt: text)
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
    ///
    /// - Parameter kind: nil for both.
    public func list(
        _ kind: User.Kind? = nil, page: Int, limit: Int
    ) async throws -> (page: [Account], total: Int) {
        try await context.store.accounts(of: kind, offset: PageOffset.of(page: page, limit: limit), limit: limit)
    }

    /// Sets a password without the current one, as an operator; all sessions end.
    ///
    /// - Throws: `VALIDATION_FAILED` with the field `password`.
    public func setPassword(of user: User, to password: Password, by authority: Authority) async throws {
        try await replacePassword(of: user, with: password, field: "password", keeping: nil, by: authority)
    }

    func replacePassword(
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

    /// Disables or enables an account; returns when it holds on every node.
    public func setStatus(_ status: User.Status, of userID: UserID, by authority: Authority) async throws {
        let action: AuditEvent.Action = status == .active ? .userEnabled : .userDisabled
        await propagation.waitUntilApplied(
            try await context.store.setStatus(
                status, of: userID, by: authority, audit: context.event(action, by: authority, user: userID)))
    }

    /// Removes an account; returns when its key is refused on every node, and what tells who it was is erased.
    ///
    /// - Parameters:
    ///   - successor: who becomes Owner of the workspaces with other members whose last Owner it is.
    ///   - deletesWorkspaces: whether these are deleted.
    /// - Throws: `NOT_FOUND`; `CONFLICT` when there is such a workspace and neither is said; `VALIDATION_FAILED` with the
    ///   field `transferTo`.
    public func delete(
        _ userID: UserID, successor: UserID? = nil, deletesWorkspaces: Bool = false, by authority: Authority
    ) async throws {
        let deletion = try await context.deletion(
            of: userID, successor: successor, deletesWorkspaces: deletesWorkspaces)
        await propagation.waitUntilApplied(
            try await context.store.deleteAccount(
                deletion, by: authority, audit: context.event(.userDeleted, by: authority, user: userID)))
        // The account is gone. What this does not erase, housekeeping does.
        for deleted in [userID] + deletion.serviceAccounts { try? await context.store.erasePersonalData(of: deleted) }
    }

    /// The latest audit events of an account, newest first.
    public func auditEvents(of userID: UserID?, limit: Int) async throws -> [AuditEvent] {
        try await context.store.auditEvents(userID: userID, limit: limit)
    }

    static let noAccount = KeybearerError(.notFound, "There is no such account.")
}
