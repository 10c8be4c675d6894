/// What a program wants an account's record to be.
public struct UserInput: Sendable {
    /// The address; nil where it was not named.
    public var email: String?
    /// Whether it is the person's; nil where it was not named.
    public var isEmailVerified: Bool?
    /// The name; nil where it was not named.
    public var name: String?
    /// The product's own id.
    public var externalID = MemberChange<ExternalID>.unchanged
    /// Whether an account that has the address already is taken over.
    public var adopts = false
    /// The key that a new account is to have; nil for one that is made here.
    public var keyToImport: KeyToImport?

    /// Nothing.
    public init() {}
}

extension WriteService {
    /// Makes an account without a password.
    ///
    /// - Throws: `VALIDATION_FAILED` with the fields `name`, `email`, `key`; `CONFLICT`; `FORBIDDEN` where the token
    ///   may not vouch for an address, or import a key.
    package func creating(
        _ input: UserInput, request: IdempotentRequest? = nil, by caller: OperatorCaller
    ) async throws -> StoreWrite {
        try requireVoucher(input, caller)
        let imported = try importedToken(input, by: caller)
        let request = protecting(request, with: input, by: caller)
        let wanted = try AccountService.wanted(name: input.name ?? "", email: input.email ?? "", password: nil)
        for older in EmailAddress.spellings(of: wanted.email.rawValue).dropFirst() {
            if try await context.store.account(email: older) != nil { throw KeybearerError.emailTaken }
        }
        try await context.claimNewDatabase()
        let new = try accounts.makeAccount(
            name: wanted.name, email: wanted.email, externalID: input.externalID.applied(to: nil),
            isEmailVerified: input.isEmailVerified ?? caller.vouchesForAddresses, importing: imported)
        return StoreWrite(
            .createAccount(new),
            audit: context.event(
                .userCreated, by: caller.authority, user: new.user.id, workspace: new.workspaceID,
                detail: imported == nil ? nil : "with an imported key"),
            request: request)
    }

    /// Makes the account that the product calls by this id, or replaces its address, name and external id. Status, key
    /// and memberships stay as they are.
    ///
    /// - Parameter version: the one that the caller has seen; nil for any.
    /// - Throws: as ``creating(_:request:by:)``; `NOT_FOUND` for an id of ours that nobody has.
    package func putting(
        _ reference: Reference<UserID>, _ input: UserInput, version: Int? = nil, request: IdempotentRequest? = nil,
        by caller: OperatorCaller
    ) async throws -> StoreWrite {
        var input = input
        if case .external(let externalID) = reference, input.externalID == .unchanged {
            input.externalID = .set(externalID)
        } else if case .external = reference, input.externalID == .cleared {
            throw Self.pathNamesExternalID
        } else if input.externalID == .unchanged {
            input.externalID = .cleared
        }
        let wanted = try AccountService.wanted(name: input.name ?? "", email: input.email ?? "", password: nil)
        let remembered = protecting(request, with: input, by: caller)
        var present = try await self.account(reference)
        if present == nil, let earlier = try await earlierResource(of: remembered) {
            present = try await self.account(.id(UserID(rawValue: earlier)))
        }
        if let present {
            try await requireImported(input, into: present, named: reference, request: remembered, by: caller)
            return try await updating(present, input, version: version, request: remembered, by: caller)
        }
        guard case .external(let externalID) = reference else { throw AccountService.noAccount }
        try Self.requireSame(input.externalID, externalID)
        guard version == nil else {
            throw KeybearerError(.conflict, "There is no such account yet: leave If-Match out.")
        }
        guard let present = try await context.account(spelt: wanted.email.rawValue) else {
            return try await creating(input, request: request, by: caller)
        }
        try await requireImported(input, into: present, named: reference, request: remembered, by: caller)
        return try adopting(present, input, request: request, by: caller)
    }

    /// Changes what is named of an account's record.
    ///
    /// - Throws: as ``putting(_:_:version:request:by:)``.
    package func patching(
        _ reference: Reference<UserID>, _ input: UserInput, version: Int? = nil, request: IdempotentRequest? = nil,
        by caller: OperatorCaller
    ) async throws -> StoreWrite {
        let account = try await existing(.id(try await existingID(reference, for: request)))
        try await requireImported(input, into: account, named: reference, request: request, by: caller)
        return try await updating(account, input, version: version, request: request, by: caller)
    }

    private func updating(
        _ account: Account, _ input: UserInput, version: Int?, request: IdempotentRequest?, by caller: OperatorCaller
    ) async throws -> StoreWrite {
        try requireVoucher(input, caller)
        let user = account.user
        guard user.kind == .person else {
            return try updatingServiceAccount(user, input, version: version, request: request, by: caller)
        }
        let wanted = try AccountService.wanted(
            name: input.name ?? user.name, email: input.email ?? user.email.rawValue, password: nil)
        // The stored spelling may be one of version 0.1, which today's form would replace without being asked.
        let email = input.email == nil ? nil : wanted.email
        if let email, email != user.email {
            for spelling in EmailAddress.spellings(of: email.rawValue).dropFirst() {
                if let other = try await context.store.account(email: spelling), other.user.id != user.id {
                    throw KeybearerError.emailTaken
                }
            }
        }
        var isVerified = input.isEmailVerified
        if isVerified == nil, let email, email != user.email, caller.vouchesForAddresses { isVerified = true }
        let takeover = try await takeover(of: account, input, isVerified: isVerified == true, by: caller)
        // What is vouched for, or taken over, is the account as it was read: at this version alone.
        let isPinned = isVerified == true || takeover != nil
        let update = UserUpdate(
            id: user.id, version: version ?? (isPinned ? user.version : nil), email: email,
            isEmailVerified: isVerified, name: input.name == nil ? nil : wanted.name, externalID: input.externalID,
            takeover: takeover)
        let action: AuditEvent.Action = takeover == nil ? .userChanged : .userAdopted
        return StoreWrite(
            .updateUser(update), audit: context.event(action, by: caller.authority, user: user.id),
            request: request)
    }

    /// What takes an account from whoever made it, where the change would give that person what is somebody else's: an
    /// account that somebody can sign in to, by a password or at a provider, and whose address nobody vouched for, becomes
    /// the product's user or gets a verified address.
    ///
    /// - Returns: nil where there is nothing to take.
    /// - Throws: `CONFLICT` unless the caller asks for it.
    private func takeover(
        of account: Account, _ input: UserInput, isVerified: Bool, by caller: OperatorCaller
    ) async throws -> KeyReplacement? {
        let user = account.user
        guard !user.isEmailVerified else { return nil }
        var isLinked = false
        if case .set = input.externalID { isLinked = user.externalID == nil }
        guard isLinked || isVerified && !caller.vouchesForAddresses else { return nil }
        if !user.hasPassword, try await context.store.identities(of: user.id).isEmpty { return nil }
        guard input.adopts else {
            throw KeybearerError(
                .conflict,
                "Somebody signed up with this account's e-mail address, and nobody has shown that it is theirs. To take "
                    + "the account over, adopt it (adopt: true): its sessions end, its password is removed and its key "
                    + "is replaced.")
        }
        try caller.require(.writeIdentity)
        return try keys.makeReplacement(of: account.key.version, userID: user.id, request: nil).0
    }

    /// Links an account that has the address already to the product's id.
    ///
    /// Whoever made it may not be the person: unless its address was verified here, its sessions end, its password goes
    /// and its key is replaced. Otherwise whoever signed up first with a stranger's address would own what the stranger
    /// gets.
    private func adopting(
        _ account: Account, _ input: UserInput, request: IdempotentRequest?, by caller: OperatorCaller
    ) throws -> StoreWrite {
        let user = account.user
        guard user.externalID == nil else { throw KeybearerError.emailTaken }
        guard input.adopts else {
            throw KeybearerError(
                .conflict,
                "There is an account with this e-mail address already, without an external id. To take it over, adopt "
                    + "it (adopt: true).")
        }
        try caller.require(.writeIdentity)
        var takeover: KeyReplacement?
        if !user.isEmailVerified {
            takeover = try keys.makeReplacement(of: account.key.version, userID: user.id, request: nil).0
        }
        // At this version: meanwhile the account may have got another address or another external id.
        let update = UserUpdate(
            id: user.id, version: user.version, isEmailVerified: input.isEmailVerified,
            name: input.name.map { NameRules.normalised($0) }, externalID: input.externalID, takeover: takeover)
        return StoreWrite(
            .updateUser(update), audit: context.event(.userAdopted, by: caller.authority, user: user.id),
            request: request)
    }

    private func requireVoucher(_ input: UserInput, _ caller: OperatorCaller) throws(KeybearerError) {
        if input.isEmailVerified == true || input.adopts { try caller.require(.writeIdentity) }
    }

    /// Disables or enables an account.
    ///
    /// - Throws: `NOT_FOUND`.
    package func settingStatus(
        _ status: User.Status, of reference: Reference<UserID>, request: IdempotentRequest? = nil,
        by caller: OperatorCaller
    ) async throws -> StoreWrite {
        let id = try await existingID(reference, for: request)
        return StoreWrite(
            .setStatus(status, of: id),
            audit: context.event(status == .active ? .userEnabled : .userDisabled, by: caller.authority, user: id),
            request: request)
    }

    /// Ends all sessions of an account.
    ///
    /// - Throws: `NOT_FOUND`.
    package func endingSessions(
        of reference: Reference<UserID>, request: IdempotentRequest? = nil, by caller: OperatorCaller
    ) async throws -> StoreWrite {
        let id = try await existingID(reference, for: request)
        return StoreWrite(
            .endSessions(of: id), audit: context.event(.sessionEnded, by: caller.authority, user: id),
            request: request)
    }

    /// Takes the second factor from an account whose holder has lost it.
    ///
    /// - Throws: `NOT_FOUND`.
    package func resettingSecondFactor(
        of reference: Reference<UserID>, request: IdempotentRequest? = nil, by caller: OperatorCaller
    ) async throws -> StoreWrite {
        let id = try await existingID(reference, for: request)
        return StoreWrite(
            .resetSecondFactor(of: id),
            audit: context.event(.secondFactorRemoved, by: caller.authority, user: id, detail: "by the operator"),
            request: request)
    }

    /// Removes an account.
    ///
    /// - Parameters:
    ///   - successor: who becomes Owner of the workspaces with other members whose last Owner it is.
    ///   - deletesWorkspaces: whether these are deleted.
    /// - Throws: `NOT_FOUND`; `VALIDATION_FAILED` with the field `transferTo`.
    package func deleting(
        _ reference: Reference<UserID>, successor: Reference<UserID>? = nil, deletesWorkspaces: Bool = false,
        request: IdempotentRequest? = nil, by caller: OperatorCaller
    ) async throws -> StoreWrite {
        let id = try await existingID(reference, for: request)
        var successorID: UserID?
        if let successor {
            // Whether it may be one is looked at by the write itself.
            successorID = try await account(successor)?.user.id
            guard successorID != nil else {
                throw KeybearerError.validation(["transferTo": "There is no such account."])
            }
        }
        let deletion = try await context.deletion(
            of: id, successor: successorID, deletesWorkspaces: deletesWorkspaces)
        return StoreWrite(
            .deleteAccount(deletion), audit: context.event(.userDeleted, by: caller.authority, user: id),
            request: request)
    }

    /// Replaces an account's key.
    ///
    /// - Returns: what is written, and the new key, which holds once that is done.
    /// - Throws: `NOT_FOUND`; `UNAVAILABLE` on a node that only verifies.
    package func regenerating(
        _ reference: Reference<UserID>, request: IdempotentRequest? = nil, by caller: OperatorCaller
    ) async throws -> (write: StoreWrite, replacement: KeyReplacement, secret: SecretKey) {
        let account = try await existing(reference)
        let (replacement, secret) = try keys.makeReplacement(
            of: account.key.version, userID: account.user.id, request: request)
        let write = StoreWrite(
            .replaceKey(replacement),
            audit: context.event(.keyRegenerated, by: caller.authority, user: account.user.id))
        return (write, replacement, secret)
    }
}
