/// What operators' programs write: it resolves what they name, and runs one write or many.
///
/// ``UserInput`` and ``WorkspaceInput`` say what a record is to be; the methods beside them make writes of them.
public final class WriteService: Sendable {
    let context: ServiceContext
    let accounts: AccountService
    let keys: KeyService
    private let propagation: any ChangePropagation

    /// The most writes of one transaction.
    package static let mostTogether = 100

    init(
        context: ServiceContext, accounts: AccountService, keys: KeyService, propagation: any ChangePropagation
    ) {
        self.context = context
        self.accounts = accounts
        self.keys = keys
        self.propagation = propagation
    }

    /// Runs one write; returns when it holds on every node.
    ///
    /// - Throws: what refuses it; what a new request would get when the authority has ended; `UNAVAILABLE`.
    package func perform(_ write: StoreWrite, by caller: OperatorCaller) async throws -> StoreWrite.Outcome {
        let results = await propagation.waitUntilApplied(
            try await context.store.perform([write], by: caller.authority))
        guard let result = results.first else { throw KeybearerError(.internalError, "The store failed.") }
        // The account is gone. What this does not erase, housekeeping does.
        for deleted in write.deletedAccounts { try? await context.store.erasePersonalData(of: deleted) }
        return try result.get()
    }

    /// Runs many writes, some at a time, and waits once for all of them.
    package func beginBatch(by caller: OperatorCaller) -> WriteBatch {
        WriteBatch(store: context.store, propagation: propagation, clocks: context.clocks, authority: caller.authority)
    }

    /// Makes an account without a password.
    ///
    /// - Throws: `VALIDATION_FAILED` with the fields `name`, `email`; `CONFLICT`; `UNAVAILABLE`.
    public func create(_ input: UserInput, by caller: OperatorCaller) async throws -> Account {
        try Self.account(try await perform(try await creating(input, by: caller), by: caller))
    }

    /// Changes what is named of an account's record; returns when it holds on every node.
    ///
    /// - Throws: as ``create(_:by:)``; `NOT_FOUND`.
    public func patch(
        _ reference: Reference<UserID>, _ input: UserInput, by caller: OperatorCaller
    ) async throws -> Account {
        try Self.account(try await perform(try await patching(reference, input, by: caller), by: caller))
    }

    /// Makes accounts that the product calls by these ids, or brings them up to date, in one transaction.
    ///
    /// - Returns: what became of each; one that fails leaves the others as they are.
    public func put(
        _ users: [(id: ExternalID, input: UserInput)], by caller: OperatorCaller
    ) async -> [Result<Account, KeybearerError>] {
        var (results, writes) = ([Result<Account, KeybearerError>?](repeating: nil, count: users.count), [StoreWrite]())
        var places: [Int] = []
        for (place, user) in users.enumerated() {
            do {
                writes.append(try await putting(.external(user.id), user.input, by: caller))
                places.append(place)
            } catch {
                results[place] = .failure(KeybearerError(any: error))
            }
        }
        let batch = beginBatch(by: caller)
        await batch.perform(writes)
        for (place, outcome) in zip(places, await batch.finish()) {
            results[place] = outcome.flatMap { outcome in
                if case .account(let account) = outcome { .success(account) } else { .failure(Self.storeFailed) }
            }
        }
        return results.compactMap { $0 }
    }

    /// Ends all sessions of an account.
    ///
    /// - Throws: `NOT_FOUND`; `UNAVAILABLE`.
    public func endSessions(of userID: UserID, by caller: OperatorCaller) async throws {
        _ = try await perform(try await endingSessions(of: .id(userID), by: caller), by: caller)
    }

    /// Takes the second factor from an account whose holder has lost it: the password alone signs in.
    ///
    /// - Throws: `NOT_FOUND`; `UNAVAILABLE`.
    public func resetSecondFactor(of userID: UserID, by caller: OperatorCaller) async throws {
        _ = try await perform(try await resettingSecondFactor(of: .id(userID), by: caller), by: caller)
    }

    static func account(_ outcome: StoreWrite.Outcome) throws(KeybearerError) -> Account {
        guard case .account(let account) = outcome else { throw storeFailed }
        return account
    }

    private static let storeFailed = KeybearerError(.internalError, "The store failed.")

    /// What a write with an idempotency key is known by.
    ///
    /// - Parameters:
    ///   - key: 1 to 255 visible ASCII characters.
    ///   - place: which one of a batch it is; nil for a request of its own.
    ///   - asked: all that the request asks for.
    /// - Throws: `BAD_REQUEST` for a malformed key.
    package static func request(
        key: String, place: Int? = nil, asked: [UInt8], by caller: OperatorCaller
    ) throws(KeybearerError) -> IdempotentRequest {
        try IdempotentRequest(scope: caller.requestScope, key: key, place: place, asked: asked)
    }

    // MARK: - What is named

    /// The account that is named; nil when there is none.
    package func account(_ reference: Reference<UserID>) async throws -> Account? {
        switch reference {
        case .id(let id): try await context.store.account(id: id)
        case .external(let id): try await context.store.account(externalID: id)
        }
    }

    /// The account that is named.
    ///
    /// - Throws: `NOT_FOUND`.
    package func existing(_ reference: Reference<UserID>) async throws -> Account {
        guard let account = try await account(reference) else { throw AccountService.noAccount }
        return account
    }

    /// The id of an account that is named. One of ours is looked for by the write itself.
    ///
    /// - Parameter request: the one that names it. Where it is sent again, it may have taken the name away itself: the
    ///   account has another external id since, or is gone.
    func existingID(_ reference: Reference<UserID>, for request: IdempotentRequest?) async throws -> UserID {
        if case .id(let id) = reference { return id }
        if let account = try await account(reference) { return account.user.id }
        guard let id = try await earlierResource(of: request) else { throw AccountService.noAccount }
        return UserID(rawValue: id)
    }

    /// What the same request was about before.
    func earlierResource(of request: IdempotentRequest?) async throws -> String? {
        guard let request else { return nil }
        return try await context.store.resource(of: request, now: context.clocks.wall())
    }

    /// The id of the workspace that is named; nil when there is none.
    package func workspaceID(_ reference: Reference<WorkspaceID>) async throws -> WorkspaceID? {
        switch reference {
        case .id(let id): id
        case .external(let id): try await context.store.workspaceID(externalID: id)
        }
    }

    /// The id of the workspace that is named. One of ours is looked for by the write itself.
    ///
    /// - Parameter request: the one that names it: as for an account.
    /// - Throws: `NOT_FOUND`.
    package func existingID(
        _ reference: Reference<WorkspaceID>, for request: IdempotentRequest? = nil
    ) async throws -> WorkspaceID {
        if let id = try await workspaceID(reference) { return id }
        guard let id = try await earlierResource(of: request) else { throw Self.noWorkspace }
        return WorkspaceID(rawValue: id)
    }

    /// What is new has the external id that the path names: under another one the same request would not find it again.
    ///
    /// - Throws: `VALIDATION_FAILED` with the field `externalId`.
    static func requireSame(
        _ sent: MemberChange<ExternalID>, _ named: ExternalID
    ) throws(KeybearerError) {
        guard sent == .set(named) else {
            throw KeybearerError.validation(["externalId": "It must be the one in the path, or left out."])
        }
    }

    /// Cleared, the same request would not find it again.
    static let pathNamesExternalID = KeybearerError.validation([
        "externalId": "The path names an external id, so the body cannot clear it."
    ])

    static let noWorkspace = KeybearerError(.notFound, "There is no such workspace.")
}
