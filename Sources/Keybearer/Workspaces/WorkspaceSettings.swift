/// What members do with a workspace as a whole, by the roles of ``Permissions``.
extension WorkspaceService {
    /// How many workspaces an account may own that it makes itself.
    package static let mostOwned = 50

    /// Makes another workspace for somebody who is signed in.
    ///
    /// - Throws: `VALIDATION_FAILED` with the field `name`, which has 2 or more characters; `CONFLICT` for one more than
    ///   ``mostOwned``.
    public func create(name: String, for account: Account, by authority: Authority) async throws -> Workspace {
        try await create(
            name: try Self.acceptedByMembers(name), owner: account.user.id, ownedAtMost: Self.mostOwned, by: authority)
    }

    /// Calls a workspace something else; returns when it holds on every node.
    ///
    /// - Throws: `VALIDATION_FAILED` with the field `name`; `NOT_FOUND`; `FORBIDDEN`.
    public func rename(_ id: WorkspaceID, to name: String, by authority: Authority) async throws {
        let update = WorkspaceUpdate(id: id, name: try Self.acceptedByMembers(name))
        _ = await propagation.waitUntilApplied(
            try await context.store.updateWorkspace(
                update, by: authority, needs: Requirement(.renameWorkspace, in: id),
                audit: context.event(.workspaceChanged, by: authority, workspace: id)))
    }

    /// Makes a workspace the one with which somebody's dashboard begins.
    ///
    /// - Throws: `NOT_FOUND`.
    public func setDefault(_ id: WorkspaceID, of userID: UserID, by authority: Authority) async throws {
        try await context.store.setDefaultWorkspace(
            id, of: userID, by: authority, needs: Requirement(.openWorkspace, in: id),
            audit: context.event(.userChanged, by: authority, user: userID, workspace: id))
    }

    /// Removes a workspace with its service accounts; returns when no key passes there.
    ///
    /// - Parameter typedName: the workspace's name, as whoever deletes it typed it.
    /// - Throws: `VALIDATION_FAILED` with the field `name` for another one; `NOT_FOUND`; `FORBIDDEN`.
    public func delete(_ workspace: Workspace, typedName: String, by authority: Authority) async throws {
        guard NameRules.normalised(typedName) == workspace.name else {
            throw KeybearerError.validation(["name": "This is not the workspace’s name."])
        }
        let deletion = try await context.deletion(of: workspace.id)
        await propagation.waitUntilApplied(
            try await context.store.deleteWorkspace(
                deletion, by: authority, needs: Requirement(.deleteWorkspace, in: workspace.id),
                audit: context.event(.workspaceDeleted, by: authority, workspace: workspace.id)))
        for deleted in deletion.serviceAccounts { try? await context.store.erasePersonalData(of: deleted) }
    }

    /// Some of the members of a workspace, and how many match.
    public func members(
        of id: WorkspaceID, matching filter: MemberFilter
    ) async throws -> (page: [(user: User, role: Role)], total: Int) {
        try await context.store.members(of: id, matching: filter)
    }

    /// A name that a person gives, which is longer than an initial.
    private static func acceptedByMembers(_ name: String) throws(KeybearerError) -> String {
        let name = try accepted(name)
        guard name.count >= 2 else { throw KeybearerError.validation(["name": "Use 2 or more characters."]) }
        return name
    }
}

/// Which members of a workspace are wanted.
public struct MemberFilter: Sendable, Hashable {
    /// What their names or addresses contain; nil for anything.
    public let text: String?
    /// Their role; nil for any.
    public let role: Role?
    /// How many stand before the first one.
    public let offset: Int
    /// How many at most.
    public let limit: Int

    /// Puts a filter together.
    public init(text: String? = nil, role: Role? = nil, page: Int = 1, limit: Int) {
        self.text = text.flatMap { $0.isEmpty ? nil : $0 }
        self.role = role
        offset = PageOffset.of(page: page, limit: limit)
        self.limit = limit
    }
}
