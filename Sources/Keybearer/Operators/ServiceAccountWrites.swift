/// Service accounts, for operators' programs and for members of the workspace. What is done to one later goes by the
/// writes of users.
extension WriteService {
    /// Makes a service account with its key.
    ///
    /// - Throws: `VALIDATION_FAILED` with the field `name`; `NOT_FOUND`.
    package func creatingServiceAccount(
        name: String, externalID: ExternalID? = nil, in workspace: Reference<WorkspaceID>,
        request: IdempotentRequest? = nil, by caller: OperatorCaller
    ) async throws -> StoreWrite {
        try await creatingServiceAccount(
            name: name, externalID: externalID, in: try await existingID(workspace, for: nil), request: request,
            by: caller.authority)
    }

    func creatingServiceAccount(
        name: String, externalID: ExternalID? = nil, in workspaceID: WorkspaceID, request: IdempotentRequest? = nil,
        by authority: Authority
    ) async throws -> StoreWrite {
        let name = try WorkspaceService.accepted(name)
        try await context.claimNewDatabase()
        let (now, id) = (context.clocks.wall(), UserID.random(from: context.random))
        let vault = context.vault.current
        let secret = try vault.issue(prefix: context.settings.keyPrefix, random: context.random)
        let key = APIKey(
            id: .random(from: context.random), version: 1, shownPrefix: secret.shownPrefix, generatedAt: now)
        var maker: UserID?
        if case .user(let id) = authority.actor { maker = id }
        let new = NewServiceAccount(
            id: id, name: name, externalID: externalID, in: workspaceID, createdAt: now, key: key,
            sealedKey: try vault.seal(secret, userID: id, keyID: key.id, version: key.version),
            maker: maker)
        return StoreWrite(
            .createServiceAccount(new),
            audit: context.event(.userCreated, by: authority, user: id, workspace: workspaceID), request: request)
    }

    /// Changes the name and the external id, which is all that a service account's record has.
    ///
    /// - Throws: `VALIDATION_FAILED` with the fields `name`, `email`, `emailVerified`, `adopt`.
    func updatingServiceAccount(
        _ user: User, _ input: UserInput, version: Int?, request: IdempotentRequest?, by caller: OperatorCaller
    ) throws -> StoreWrite {
        var problems: [String: String] = [:]
        if input.email != nil { problems["email"] = "A service account has no e-mail address." }
        if input.isEmailVerified != nil { problems["emailVerified"] = "A service account has no e-mail address." }
        if input.adopts { problems["adopt"] = "A service account cannot be taken over." }
        let name = input.name.map { NameRules.normalised($0) }
        problems["name"] = name.flatMap { NameRules.problem(with: $0) }
        guard problems.isEmpty else { throw KeybearerError.validation(problems) }
        return StoreWrite(
            .updateUser(UserUpdate(id: user.id, version: version, name: name, externalID: input.externalID)),
            audit: context.event(
                .userChanged, by: caller.authority, user: user.id, workspace: user.serviceWorkspaceID),
            request: request)
    }

    /// Makes a service account with its key.
    ///
    /// - Throws: as ``creatingServiceAccount(name:externalID:in:request:by:)``; `CONFLICT` for one more than a workspace
    ///   can have; `UNAVAILABLE`.
    public func createServiceAccount(
        name: String, externalID: ExternalID? = nil, in workspace: Reference<WorkspaceID>, by caller: OperatorCaller
    ) async throws -> Account {
        let write = try await creatingServiceAccount(name: name, externalID: externalID, in: workspace, by: caller)
        return try Self.account(try await perform(write, by: caller))
    }
}

extension KeybearerError {
    /// The account is there, but it is no person's.
    ///
    /// - Parameter what: what it does not do or have, as the end of a sentence.
    package static func serviceAccount(_ what: String) -> KeybearerError {
        KeybearerError(.conflict, "This is a service account: \(what).")
    }

    /// There is no such service account, or it is another workspace's: nothing tells which.
    package static let notYourServiceAccount = KeybearerError(
        .notFound, "There is no such service account in this workspace.")

    /// A workspace has as many as it can.
    package static func tooManyServiceAccounts(limit: Int) -> KeybearerError {
        KeybearerError(
            .conflict, "A workspace can have at most \(limit) service accounts. Delete one that is not needed any more."
        )
    }
}
