import Foundation

/// What operators' programs look for: lists of users and workspaces, the audit log, and whose a key is.
public final class DirectoryService: Sendable {
    private let context: ServiceContext
    private let node: Node?

    /// A part of a list.
    public struct Page<Entry: Sendable>: Sendable {
        /// The entries, in the order of the list.
        public let entries: [Entry]
        /// Where the next part begins, for the next request; nil behind the last.
        public let nextCursor: String?
    }

    init(context: ServiceContext, node: Node?) {
        self.context = context
        self.node = node
    }

    /// Changes that were committed at the same time can become visible in another order. A caller that asks for what
    /// changed since its last look gets what is this much older, too.
    private static let overlap: Duration = .seconds(60)

    /// A page of accounts in the order of their creation.
    ///
    /// - Parameters:
    ///   - email: only the account with this address, in any spelling of it.
    ///   - externalID: only the account with this external id.
    /// - Throws: `BAD_REQUEST` for a cursor that is none.
    public func users(
        matching filter: UserFilter, email: String? = nil, externalID: ExternalID? = nil, cursor: String? = nil,
        limit: Int
    ) async throws -> Page<Account> {
        var filter = filter
        filter.updatedAfter = filter.updatedAfter?.advanced(by: .zero - Self.overlap)
        let place = try cursor.map { text throws(KeybearerError) in try ListPlace(cursor: text) }
        guard email != nil || externalID != nil else {
            let found = try await context.store.accounts(matching: filter, after: place, limit: limit + 1)
            return Self.page(found, limit) { ($0.user.createdAt, $0.user.id.rawValue) }
        }
        // There is at most one.
        var account: Account?
        if let externalID {
            account = try await context.store.account(externalID: externalID)
        } else if let email {
            account = try await context.account(spelt: email)
        }
        if let email, let found = account, !EmailAddress.spellings(of: email).contains(found.user.email) {
            account = nil
        }
        return Page(entries: account.map { [$0] }?.filter(filter.contains) ?? [], nextCursor: nil)
    }

    /// A page of workspaces in the order of their creation.
    ///
    /// - Throws: `BAD_REQUEST` for a cursor that is none.
    public func workspaces(
        matching filter: WorkspaceFilter, cursor: String? = nil, limit: Int
    ) async throws -> Page<(workspace: Workspace, plan: Plan, memberCount: Int)> {
        var filter = filter
        filter.updatedAfter = filter.updatedAfter?.advanced(by: .zero - Self.overlap)
        let found = try await context.store.workspaces(
            matching: filter, after: try cursor.map { text throws(KeybearerError) in try ListPlace(cursor: text) },
            limit: limit + 1)
        return Self.page(found, limit) { ($0.workspace.createdAt, $0.workspace.id.rawValue) }
    }

    /// A workspace with its plan.
    ///
    /// - Throws: `NOT_FOUND`.
    public func workspace(_ reference: Reference<WorkspaceID>) async throws -> (workspace: Workspace, plan: Plan) {
        var id: WorkspaceID?
        switch reference {
        case .id(let known): id = known
        case .external(let external): id = try await context.store.workspaceID(externalID: external)
        }
        guard let id, let found = try await context.store.workspace(id: id) else { throw WriteService.noWorkspace }
        return found
    }

    /// A page of audit events, the newest first.
    ///
    /// - Throws: `BAD_REQUEST` for a cursor that is none.
    public func auditEvents(of userID: UserID?, cursor: String? = nil, limit: Int) async throws -> Page<AuditEvent> {
        var before: Int64?
        if let cursor {
            before = Int64(cursor)
            guard let before, before > 0 else { throw ListPlace.noCursor }
        }
        let found = try await context.store.auditEvents(of: userID, before: before, limit: limit + 1)
        let shown = found.prefix(limit)
        return Page(
            entries: shown.map(\.1), nextCursor: found.count > limit ? shown.last.map { String($0.place) } : nil)
    }

    /// A page of audit events in the order of their positions, for who follows the log: none is ever missed.
    ///
    /// - Parameter cursor: of the page before; nil begins with the first event that is kept.
    /// - Returns: the events, the cursor of what comes behind them, which is there also where nothing does yet, and
    ///   whether more is there already.
    /// - Throws: `BAD_REQUEST` for a cursor that is none.
    public func followAuditEvents(
        of userID: UserID?, cursor: String? = nil, limit: Int
    ) async throws -> (entries: [AuditEvent], nextCursor: String, hasMore: Bool) {
        var after: Int64 = 0
        if let cursor {
            // Not a bare number: that is a cursor of the other order.
            guard cursor.first == "p", let place = Int64(cursor.dropFirst()), place >= 0 else {
                throw ListPlace.noCursor
            }
            after = place
        }
        let found = try await context.store.auditEvents(after: after, of: userID, limit: limit + 1)
        let shown = Array(found.prefix(limit))
        return (shown, "p\(shown.last?.position ?? after)", found.count > limit)
    }

    /// All that is kept about a person, without secrets.
    ///
    /// - Throws: `NOT_FOUND`.
    package func personalData(of userID: UserID) async throws -> PersonalData {
        guard let found = try await context.store.personalData(of: userID, now: context.clocks.wall()) else {
            throw AccountService.noAccount
        }
        return found
    }

    /// Whose key a token is, or was. No request is counted, and "Last used" stays as it is.
    ///
    /// A key of our own shape that was never made here is told from memory; for another, the store is asked.
    ///
    /// - Throws: `NOT_FOUND`; `UNAVAILABLE`, also for a tag that is not recognised by a server that may lack a master
    ///   key.
    package func owner(of token: String) async throws -> KeyOwner {
        let unknown = KeybearerError(.notFound, "This is no key of this service, and was none.")
        let vault = context.vault.current
        // The lease first: see ServiceContext.origin.
        let knowsAllMasterKeys = node?.knowsAllMasterKeys ?? true
        guard let presented = Array(token.utf8).withUnsafeBufferPointer(PresentedToken.init) else { throw unknown }
        if let secret = SecretKey(token: presented) {
            guard vault.isGenuine(secret) else {
                throw knowsAllMasterKeys ? unknown : KeybearerError.unavailable()
            }
        } else if !presented.mayBeImported {
            throw unknown
        }
        guard let owner = try await context.store.keyOwner(digests: vault.digests(of: presented)) else {
            throw unknown
        }
        return owner
    }

    // MARK: - Cursors

    private static func page<Entry: Sendable>(
        _ found: [Entry], _ limit: Int, place: (Entry) -> (Timestamp, String)
    ) -> Page<Entry> {
        let shown = Array(found.prefix(limit))
        guard found.count > limit, let last = shown.last else { return Page(entries: shown, nextCursor: nil) }
        let (time, id) = place(last)
        return Page(entries: shown, nextCursor: ListPlace(createdAt: time, id: id).cursor)
    }
}

extension ListPlace {
    /// The place as a program sends it back. Safe in a query as it is.
    package var cursor: String {
        Data("\(createdAt.millisecondsSinceEpoch) \(id)".utf8).base64EncodedString()
            .replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }

    /// Reads what ``cursor`` made.
    ///
    /// - Throws: `BAD_REQUEST` for anything else.
    package init(cursor: String) throws(KeybearerError) {
        let standard = cursor.replacing("-", with: "+").replacing("_", with: "/")
        let padded = standard + String(repeating: "=", count: (4 - cursor.utf8.count % 4) % 4)
        guard cursor.utf8.count <= 200, let data = Data(base64Encoded: padded) else { throw Self.noCursor }
        let parts = String(decoding: data, as: UTF8.self).split(separator: " ")
        guard parts.count == 2, let time = Int64(parts[0]), parts[1].utf8.allSatisfy({ $0 > 32 && $0 < 127 }) else {
            throw Self.noCursor
        }
        self.init(createdAt: Timestamp(millisecondsSinceEpoch: time), id: String(parts[1]))
    }

    fileprivate static let noCursor = KeybearerError(
        .badRequest, "cursor must be the nextCursor of an answer to the same request.")
}

extension UserFilter {
    /// The same that the store looks at.
    func contains(_ account: Account) -> Bool {
        (kind.map { $0 == account.user.kind } ?? true)
            && (status.map { $0 == account.user.status } ?? true)
            && (createdAfter.map { $0 <= account.user.createdAt } ?? true)
            && (updatedAfter.map { $0 <= account.user.updatedAt } ?? true)
            && (workspaceID == nil && planID == nil
                || account.workspaces.contains { access in
                    (workspaceID.map { $0 == access.workspace.id } ?? true)
                        && (planID.map { $0 == access.plan.id } ?? true)
                })
    }
}
