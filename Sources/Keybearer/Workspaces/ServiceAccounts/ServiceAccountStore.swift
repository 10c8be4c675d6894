/// Service accounts: members of a workspace that are no people.
package protocol ServiceAccountStore: Sendable {
    /// Those of a workspace, oldest first.
    func serviceAccounts(of workspaceID: WorkspaceID) async throws -> [Account]
    /// The ids of those of a workspace.
    func serviceAccountIDs(of workspaceID: WorkspaceID) async throws -> [UserID]
    /// The ids of those of every workspace that an account owns.
    func serviceAccountIDs(inWorkspacesOwnedBy userID: UserID) async throws -> [UserID]
    /// Who has seen live keys of a workspace's service accounts, the last one first.
    func serviceKeyViews(in workspaceID: WorkspaceID) async throws -> [ServiceKeyView]
    /// Who is responsible for each of a workspace.
    func responsiblePeople(in workspaceID: WorkspaceID) async throws -> [UserID: ResponsiblePerson]
    /// Makes or changes one for a member of its workspace. It is the write that an operator's program would ask for, with
    /// what the member needs for it.
    ///
    /// - Throws: `NOT_FOUND`; `CONFLICT` beyond the limit, and while a node runs that does not know them.
    func changeServiceAccount(
        _ write: StoreWrite, by authority: Authority, needs requirement: Requirement
    ) async throws -> Committed<StoreWrite.Outcome>
}
