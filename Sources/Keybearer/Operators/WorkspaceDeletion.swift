/// How a workspace is deleted, with the service accounts that are members of it alone.
package struct WorkspaceDeletion: Sendable {
    /// Which workspace.
    package let id: WorkspaceID
    /// The version that the caller has seen; nil for any.
    package let version: Int?
    /// Its service accounts, as they were read before: names what is locked. Where it has others by then, nothing is
    /// deleted.
    package let serviceAccounts: [UserID]
    /// Names the audit rows of what becomes of them.
    package let makeEventID: @Sendable () -> EventID

    /// Puts a deletion together.
    package init(
        id: WorkspaceID, version: Int? = nil, serviceAccounts: [UserID] = [],
        makeEventID: @escaping @Sendable () -> EventID
    ) {
        self.id = id
        self.version = version
        self.serviceAccounts = serviceAccounts
        self.makeEventID = makeEventID
    }
}

extension ServiceContext {
    /// The deletion of a workspace with the service accounts that it has now.
    func deletion(of id: WorkspaceID, version: Int? = nil) async throws -> WorkspaceDeletion {
        let random = random
        return WorkspaceDeletion(
            id: id, version: version, serviceAccounts: try await store.serviceAccountIDs(of: id)
        ) { .random(from: random) }
    }

    /// The deletion of an account, with the service accounts that go with it now.
    func deletion(of id: UserID, successor: UserID?, deletesWorkspaces: Bool) async throws -> AccountDeletion {
        let random = random
        return AccountDeletion(
            id: id, successor: successor, deletesWorkspaces: deletesWorkspaces,
            serviceAccounts: deletesWorkspaces ? try await store.serviceAccountIDs(inWorkspacesOwnedBy: id) : []
        ) { .random(from: random) }
    }
}
