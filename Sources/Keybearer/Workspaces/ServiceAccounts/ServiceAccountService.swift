/// What members do with the service accounts of their workspace, by the roles of ``Permissions``.
///
/// A service account is a member that is no person: an environment or a machine with a Secret Key and a rate limit of its
/// own. It never signs in, works in its workspace alone, and outlives whoever made it. Their keys are shown and replaced
/// by ``KeyService``, with a ``Requirement`` that names the account.
public final class ServiceAccountService: Sendable {
    private let context: ServiceContext
    private let writes: WriteService
    private let propagation: any ChangePropagation

    init(context: ServiceContext, writes: WriteService, propagation: any ChangePropagation) {
        self.context = context
        self.writes = writes
        self.propagation = propagation
    }

    /// Those of a workspace, oldest first.
    public func list(of id: WorkspaceID) async throws -> [Account] {
        try await context.store.serviceAccounts(of: id)
    }

    /// One of a workspace.
    ///
    /// - Throws: `NOT_FOUND`, also for one of another workspace and for a person.
    public func find(_ id: UserID, in workspaceID: WorkspaceID) async throws -> Account {
        guard let account = try await context.store.account(id: id), account.user.serviceWorkspaceID == workspaceID
        else { throw KeybearerError.notYourServiceAccount }
        return account
    }

    /// Who has seen the live keys, the last one first.
    public func views(in id: WorkspaceID) async throws -> [ServiceKeyView] {
        try await context.store.serviceKeyViews(in: id)
    }

    /// Who is responsible for each: whoever made it, while that person is an Owner or an Admin here; else the Owner whose
    /// account is the oldest.
    public func responsiblePeople(in id: WorkspaceID) async throws -> [UserID: ResponsiblePerson] {
        try await context.store.responsiblePeople(in: id)
    }

    /// Makes one with its key.
    ///
    /// - Throws: `VALIDATION_FAILED` with the field `name`; `CONFLICT` for one more than a workspace can have; `FORBIDDEN`.
    public func create(name: String, in id: WorkspaceID, by authority: Authority) async throws -> Account {
        let write = try await writes.creatingServiceAccount(name: name, in: id, by: authority)
        return try await change(write, of: nil, in: id, by: authority)
    }

    /// Calls one something else; returns when it holds on every node.
    ///
    /// - Throws: `VALIDATION_FAILED` with the field `name`; `NOT_FOUND`; `FORBIDDEN`.
    public func rename(
        _ id: UserID, in workspaceID: WorkspaceID, to name: String, by authority: Authority
    ) async throws -> Account {
        let write = StoreWrite(
            .updateUser(UserUpdate(id: id, name: try WorkspaceService.accepted(name))),
            audit: context.event(.userChanged, by: authority, user: id, workspace: workspaceID))
        return try await change(write, of: id, in: workspaceID, by: authority)
    }

    /// Disables or enables one; returns when its key is refused, or passes, on every node.
    ///
    /// - Throws: `NOT_FOUND`; `FORBIDDEN`.
    public func setStatus(
        _ status: User.Status, of id: UserID, in workspaceID: WorkspaceID, by authority: Authority
    ) async throws -> Account {
        let action: AuditEvent.Action = status == .active ? .userEnabled : .userDisabled
        let write = StoreWrite(
            .setStatus(status, of: id),
            audit: context.event(action, by: authority, user: id, workspace: workspaceID))
        return try await change(write, of: id, in: workspaceID, by: authority)
    }

    /// Deletes one; returns when its key is refused on every node.
    ///
    /// - Throws: `NOT_FOUND`; `FORBIDDEN`.
    public func delete(_ id: UserID, in workspaceID: WorkspaceID, by authority: Authority) async throws {
        let random = context.random
        let write = StoreWrite(
            .deleteAccount(AccountDeletion(id: id) { .random(from: random) }),
            audit: context.event(.userDeleted, by: authority, user: id, workspace: workspaceID))
        _ = await propagation.waitUntilApplied(try await commit(write, of: id, in: workspaceID, by: authority))
        // The account is gone. What this does not erase, housekeeping does.
        try? await context.store.erasePersonalData(of: id)
    }

    private func change(
        _ write: StoreWrite, of id: UserID?, in workspaceID: WorkspaceID, by authority: Authority
    ) async throws -> Account {
        let outcome = await propagation.waitUntilApplied(
            try await commit(write, of: id, in: workspaceID, by: authority))
        return try WriteService.account(outcome)
    }

    private func commit(
        _ write: StoreWrite, of id: UserID?, in workspaceID: WorkspaceID, by authority: Authority
    ) async throws -> Committed<StoreWrite.Outcome> {
        try await context.store.changeServiceAccount(
            write, by: authority, needs: Requirement(.manageServiceAccounts, in: workspaceID, of: id))
    }
}
