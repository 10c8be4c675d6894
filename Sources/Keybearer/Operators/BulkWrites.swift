/// What is done to every account of a filter.
public enum BulkAction: String, Sendable, Hashable, CaseIterable {
    /// Their keys are replaced. Nobody is shown the new ones.
    case regenerate
    /// They are disabled.
    case disable
    /// Their sessions end.
    case endSessions = "end-sessions"
}

/// Which accounts a bulk request is about. What is nil is not looked at; something must be named.
public struct BulkFilter: Sendable, Hashable {
    /// Members of a workspace on this plan.
    public var planID: PlanID?
    /// Made before this time.
    public var createdBefore: Timestamp?
    /// Whose key is sealed under this master key.
    public var sealedUnder: MasterKeyID?
    /// Members of this workspace.
    public var workspaceID: WorkspaceID?

    /// Nothing is named yet.
    public init() {}

    /// Whether nothing is named: that would be everybody.
    public var isEmpty: Bool { self == BulkFilter() }

    /// The same for every request with the same filter.
    fileprivate var text: String {
        let parts = [
            planID?.rawValue, createdBefore.map { "\($0.millisecondsSinceEpoch)" }, sealedUnder?.rawValue,
            workspaceID?.rawValue,
        ]
        return parts.map { $0 ?? "-" }.joined(separator: " ")
    }
}

/// What a bulk request has done.
public struct BulkOutcome: Sendable, Hashable {
    /// How many accounts it was done to by this request.
    public var count = 0
    /// How many it had been done to before, by a request with the same idempotency key.
    public var repeated = 0
    /// How many were left out because other requests changed them at the same moment.
    public var skipped = 0
    /// Where the next request goes on; nil where nothing is left.
    public var nextCursor: String?
}

/// An account of a bulk request.
package struct BulkAccount: Sendable, Hashable {
    package let id: UserID
    package let createdAt: Timestamp
    package let keyVersion: Int

    /// Puts the parts together.
    package init(id: UserID, createdAt: Timestamp, keyVersion: Int) {
        self.id = id
        self.createdAt = createdAt
        self.keyVersion = keyVersion
    }
}

extension WriteService {
    /// The most accounts of one request.
    public static let mostInBulk = 10_000
    /// How long one request goes on; then it says where the next one begins.
    private static let longestBulk: Duration = .seconds(15)

    /// How many accounts an action would be done to.
    ///
    /// - Throws: `VALIDATION_FAILED` for a filter that names nothing; `UNAVAILABLE`.
    public func count(_ action: BulkAction, _ filter: BulkFilter) async throws -> Int {
        try Self.requireFilter(filter)
        return try await context.store.bulkCount(filter, status: action.status, kind: action.kind)
    }

    /// Does something to every account of a filter, or to the first 10,000, in transactions of at most 100; returns when
    /// it holds on every node.
    ///
    /// The authority is looked at in each transaction. With an idempotency key, a request that is sent again leaves the
    /// accounts out that it was done to before.
    ///
    /// - Parameters:
    ///   - cursor: where the request before stopped.
    ///   - most: how many at most.
    /// - Throws: `VALIDATION_FAILED` for a filter that names nothing; `BAD_REQUEST` for a malformed cursor or idempotency
    ///   key; what a new request would get when the authority ends meanwhile, and `UNAVAILABLE`, both of which say how
    ///   many it was done to.
    public func perform(
        _ action: BulkAction, on filter: BulkFilter, cursor: String? = nil, idempotencyKey: String? = nil,
        most: Int = WriteService.mostInBulk, by caller: OperatorCaller
    ) async throws -> BulkOutcome {
        try Self.requireFilter(filter)
        // Refused also where no account needs it.
        if let idempotencyKey { _ = try Self.request(key: idempotencyKey, asked: [], by: caller) }
        var place = try cursor.map { text throws(KeybearerError) in try ListPlace(cursor: text) }
        let batch = beginBatch(by: caller)
        let begun = context.clocks.steady()
        var (left, hasMore) = (most, true)
        while hasMore, left > 0, begun.duration(to: context.clocks.steady()) < Self.longestBulk {
            let limit = min(left, Self.mostTogether)
            let found = try await context.store.bulkAccounts(
                filter, status: action.status, kind: action.kind, after: place, limit: limit + 1)
            let accounts = found.prefix(limit)
            hasMore = found.count > limit
            left -= accounts.count
            let writes = try accounts.map { account in
                try write(action, to: account, filter, idempotencyKey: idempotencyKey, by: caller)
            }
            await batch.perform(writes)
            if let last = accounts.last { place = ListPlace(createdAt: last.createdAt, id: last.id.rawValue) }
            if await batch.hasFailed { break }
        }
        var outcome = try Self.outcome(of: await batch.finish())
        outcome.nextCursor = hasMore ? place?.cursor : nil
        return outcome
    }

    private static func requireFilter(_ filter: BulkFilter) throws(KeybearerError) {
        guard !filter.isEmpty else {
            throw KeybearerError.validation([
                "filter": "Name at least one of plan, createdBefore, sealedUnder, workspace."
            ])
        }
    }

    private func write(
        _ action: BulkAction, to account: BulkAccount, _ filter: BulkFilter, idempotencyKey: String?,
        by caller: OperatorCaller
    ) throws -> StoreWrite {
        // Each account is a request of its own, so that what is sent again goes on behind the last of them.
        let request = try idempotencyKey.map { key in
            try IdempotentRequest(
                scope: caller.requestScope, key: key, part: account.id.rawValue,
                asked: Array("bulk \(action.rawValue) \(filter.text)".utf8))
        }
        let event = { (done: AuditEvent.Action) in
            self.context.event(done, by: caller.authority, user: account.id)
        }
        switch action {
        case .regenerate:
            let (replacement, _) = try keys.makeReplacement(
                of: account.keyVersion, userID: account.id, request: request)
            return StoreWrite(.replaceKey(replacement), audit: event(.keyRegenerated))
        case .disable:
            return StoreWrite(.setStatus(.disabled, of: account.id), audit: event(.userDisabled), request: request)
        case .endSessions:
            return StoreWrite(.endSessions(of: account.id), audit: event(.sessionEnded), request: request)
        }
    }

    /// Counts what became of the accounts.
    ///
    /// - Throws: the first failure of a whole transaction, with how many accounts it was done to.
    private static func outcome(
        of results: [Result<StoreWrite.Outcome, KeybearerError>]
    ) throws(KeybearerError) -> BulkOutcome {
        var (outcome, failure) = (BulkOutcome(), KeybearerError?.none)
        for result in results {
            switch result {
            case .success(.key(.replaced)), .success(.account), .success(.done): outcome.count += 1
            case .success(.replayed), .success(.key(.replayed)), .success(.key(.superseded)): outcome.repeated += 1
            case .success(.key(.anotherRequest)): failure = failure ?? .anotherRequest
            // Regenerated by somebody else a moment ago.
            case .success(.key(.versionMoved)): outcome.skipped += 1
            // It is gone.
            case .success(.key(.noSuchUser)), .success(.workspace): break
            case .failure(let error) where error.code == .notFound: break
            case .failure(let error) where error.storeFailure?.isLockConflict == true: outcome.skipped += 1
            case .failure(let error): failure = failure ?? error
            }
        }
        guard let failure else { return outcome }
        let done = outcome.count + outcome.repeated
        if done == 0 { throw failure }
        throw KeybearerError(
            failure.code,
            "\(failure.message) It was done to \(done) \(done == 1 ? "account" : "accounts") before that.",
            fields: failure.fields, cause: failure.cause)
    }
}

extension BulkAction {
    /// Only accounts with this status are looked at; nil for all. A key is replaced although its account is disabled: a
    /// leaked one must not come back.
    fileprivate var status: User.Status? { self == .disable ? .active : nil }

    /// Only accounts of this kind are looked at; nil for all. Service accounts have no sessions.
    fileprivate var kind: User.Kind? { self == .endSessions ? .person : nil }
}
