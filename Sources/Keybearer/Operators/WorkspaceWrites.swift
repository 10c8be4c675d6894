/// What a program wants a workspace's record to be.
public struct WorkspaceInput: Sendable {
    /// The name; nil where it was not named.
    public var name: String?
    /// The product's own id.
    public var externalID = MemberChange<ExternalID>.unchanged
    /// The plan; nil where it was not named.
    public var planID: PlanID?
    /// Whose it is to be; for a new one.
    public var owner: Reference<UserID>?

    /// Nothing.
    public init() {}
}

extension WriteService {
    /// Makes a workspace.
    ///
    /// - Throws: `VALIDATION_FAILED` with the fields `name`, `owner`; `NOT_FOUND` for a plan that is not there.
    package func creating(
        _ input: WorkspaceInput, request: IdempotentRequest? = nil, by caller: OperatorCaller
    ) async throws -> StoreWrite {
        let name = NameRules.normalised(input.name ?? "")
        var problems: [String: String] = [:]
        problems["name"] = NameRules.problem(with: name)
        var owner: UserID?
        if let reference = input.owner { owner = try await account(reference)?.user.id }
        if owner == nil { problems["owner"] = "There is no such account." }
        guard problems.isEmpty, let owner else { throw KeybearerError.validation(problems) }
        let new = NewWorkspace(
            id: .random(from: context.random), name: name, externalID: input.externalID.applied(to: nil),
            planID: input.planID, owner: owner, createdAt: context.clocks.wall())
        return StoreWrite(
            .createWorkspace(new),
            audit: context.event(.workspaceCreated, by: caller.authority, user: owner, workspace: new.id),
            request: request)
    }

    /// Makes the workspace that the product calls by this id, or replaces its name. Its Owner and its plan are looked at
    /// where it is new.
    ///
    /// - Throws: as ``creating(_:request:by:)``; `NOT_FOUND` for an id of ours that no workspace has.
    package func putting(
        _ reference: Reference<WorkspaceID>, _ input: WorkspaceInput, version: Int? = nil,
        request: IdempotentRequest? = nil, by caller: OperatorCaller
    ) async throws -> StoreWrite {
        var input = input
        if case .external(let externalID) = reference, input.externalID == .unchanged {
            input.externalID = .set(externalID)
        } else if case .external = reference, input.externalID == .cleared {
            throw Self.pathNamesExternalID
        } else if input.externalID == .unchanged {
            input.externalID = .cleared
        }
        if case .external(let externalID) = reference, version == nil, try await workspaceID(reference) == nil,
            try await earlierResource(of: request) == nil
        {
            try Self.requireSame(input.externalID, externalID)
            return try await creating(input, request: request, by: caller)
        }
        input.planID = nil
        return try await patching(reference, input, version: version, request: request, by: caller)
    }

    /// Changes what is named of a workspace's record, its plan among it.
    ///
    /// - Throws: `VALIDATION_FAILED` with the field `name`; `NOT_FOUND`.
    package func patching(
        _ reference: Reference<WorkspaceID>, _ input: WorkspaceInput, version: Int? = nil,
        request: IdempotentRequest? = nil, by caller: OperatorCaller
    ) async throws -> StoreWrite {
        let id = try await existingID(reference, for: request)
        let name = input.name.map { NameRules.normalised($0) }
        if let problem = name.flatMap({ NameRules.problem(with: $0) }) {
            throw KeybearerError.validation(["name": problem])
        }
        let action: AuditEvent.Action = input.planID == nil ? .workspaceChanged : .planChanged
        return StoreWrite(
            .updateWorkspace(
                WorkspaceUpdate(
                    id: id, version: version, name: name, externalID: input.externalID, planID: input.planID)),
            audit: context.event(action, by: caller.authority, workspace: id, detail: input.planID?.rawValue),
            request: request)
    }

    /// Suspends a workspace, or lets it go on.
    ///
    /// - Throws: `NOT_FOUND`.
    package func suspending(
        _ reference: Reference<WorkspaceID>, _ isSuspended: Bool, request: IdempotentRequest? = nil,
        by caller: OperatorCaller
    ) async throws -> StoreWrite {
        let id = try await existingID(reference, for: request)
        return StoreWrite(
            .updateWorkspace(WorkspaceUpdate(id: id, isSuspended: isSuspended)),
            audit: context.event(
                isSuspended ? .workspaceSuspended : .workspaceResumed, by: caller.authority, workspace: id),
            request: request)
    }

    /// Removes a workspace: no key passes there any more.
    ///
    /// - Parameter version: the one that the caller has seen; nil for any.
    /// - Throws: `NOT_FOUND`.
    package func deleting(
        _ reference: Reference<WorkspaceID>, version: Int? = nil, request: IdempotentRequest? = nil,
        by caller: OperatorCaller
    ) async throws -> StoreWrite {
        let id = try await existingID(reference, for: request)
        return StoreWrite(
            .deleteWorkspace(try await context.deletion(of: id, version: version)),
            audit: context.event(.workspaceDeleted, by: caller.authority, workspace: id), request: request)
    }

    /// Adds a member, or changes a member's role.
    ///
    /// - Throws: `NOT_FOUND`.
    package func puttingMember(
        _ user: Reference<UserID>, in workspace: Reference<WorkspaceID>, role: Role, request: IdempotentRequest? = nil,
        by caller: OperatorCaller
    ) async throws -> StoreWrite {
        let (userID, workspaceID) = (
            try await existingID(user, for: request), try await existingID(workspace)
        )
        return StoreWrite(
            .putMember(Membership(workspaceID: workspaceID, userID: userID, role: role)),
            audit: context.event(
                .memberAdded, by: caller.authority, user: userID, workspace: workspaceID, detail: role.rawValue),
            request: request)
    }

    /// Removes a member.
    ///
    /// - Throws: `NOT_FOUND`.
    package func removingMember(
        _ user: Reference<UserID>, from workspace: Reference<WorkspaceID>, request: IdempotentRequest? = nil,
        by caller: OperatorCaller
    ) async throws -> StoreWrite {
        let (userID, workspaceID) = (
            try await existingID(user, for: request), try await existingID(workspace)
        )
        return StoreWrite(
            .removeMember(userID, from: workspaceID),
            audit: context.event(.memberRemoved, by: caller.authority, user: userID, workspace: workspaceID),
            request: request)
    }

    /// Adds a plan to the catalogue or changes one.
    ///
    /// - Throws: `VALIDATION_FAILED`, as ``WorkspaceService/putPlan(_:by:)``.
    package func putting(
        _ plan: Plan, request: IdempotentRequest? = nil, by caller: OperatorCaller
    ) throws -> StoreWrite {
        let plan = try WorkspaceService.accepted(plan)
        return StoreWrite(
            .putPlan(plan), audit: context.event(.planPut, by: caller.authority, detail: plan.id.rawValue),
            request: request)
    }

    /// Deletes a plan that no workspace is on.
    package func deletingPlan(
        _ id: PlanID, request: IdempotentRequest? = nil, by caller: OperatorCaller
    ) -> StoreWrite {
        StoreWrite(
            .deletePlan(id), audit: context.event(.planDeleted, by: caller.authority, detail: id.rawValue),
            request: request)
    }

    /// Makes a workspace; returns when it holds on every node.
    ///
    /// - Throws: `VALIDATION_FAILED` with the fields `name`, `owner`; `CONFLICT` for an external id of another workspace;
    ///   `UNAVAILABLE`.
    public func create(_ input: WorkspaceInput, by caller: OperatorCaller) async throws -> Workspace {
        try Self.workspace(try await perform(try await creating(input, by: caller), by: caller))
    }

    /// Changes what a workspace is called, here or by the product; returns when it holds on every node.
    ///
    /// - Throws: `VALIDATION_FAILED` with the field `name`; `CONFLICT` for an external id of another workspace;
    ///   `NOT_FOUND`; `UNAVAILABLE`.
    public func patch(
        _ reference: Reference<WorkspaceID>, _ input: WorkspaceInput, by caller: OperatorCaller
    ) async throws -> Workspace {
        try Self.workspace(try await perform(try await patching(reference, input, by: caller), by: caller))
    }

    /// Suspends a workspace, or lets it go on; returns when it holds on every node.
    ///
    /// - Throws: `NOT_FOUND`; `UNAVAILABLE`.
    public func setSuspended(
        _ reference: Reference<WorkspaceID>, _ isSuspended: Bool, by caller: OperatorCaller
    ) async throws -> Workspace {
        try Self.workspace(
            try await perform(try await suspending(reference, isSuspended, by: caller), by: caller))
    }

    /// Removes a workspace; returns when no key passes there.
    ///
    /// - Throws: `NOT_FOUND`; `UNAVAILABLE`.
    public func delete(_ reference: Reference<WorkspaceID>, by caller: OperatorCaller) async throws {
        _ = try await perform(try await deleting(reference, by: caller), by: caller)
    }

    private static func workspace(_ outcome: StoreWrite.Outcome) throws(KeybearerError) -> Workspace {
        guard case .workspace(let workspace, _) = outcome else {
            throw KeybearerError(.internalError, "The store failed.")
        }
        return workspace
    }
}
