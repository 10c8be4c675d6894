/// Limits of accounts and workspaces, and ends of plans.
extension WriteService {
    /// Lets an account have another hourly limit than its plans give it, or the plans' again.
    ///
    /// - Parameter limit: nil for the plans' limit.
    /// - Throws: `VALIDATION_FAILED` with the fields `hourlyLimit`, `endsAt`; `NOT_FOUND`.
    package func settingLimit(
        _ limit: LimitOverride?, of reference: Reference<UserID>, version: Int? = nil,
        request: IdempotentRequest? = nil, by caller: OperatorCaller
    ) async throws -> StoreWrite {
        try requireUsable(limit)
        let id = try await existingID(reference, for: request)
        return StoreWrite(
            .updateUser(UserUpdate(id: id, version: version, limit: limit.map { .set($0) } ?? .cleared)),
            audit: context.event(
                .userLimitChanged, by: caller.authority, user: id, detail: LimitOverride.describe(limit)),
            request: request)
    }

    /// Lets a workspace have another hourly limit than its plan gives it, or the plan's again.
    ///
    /// - Parameter limit: nil for the plan's limit.
    /// - Throws: `VALIDATION_FAILED` with the fields `hourlyLimit`, `endsAt`; `NOT_FOUND`.
    package func settingLimit(
        _ limit: LimitOverride?, of reference: Reference<WorkspaceID>, version: Int? = nil,
        request: IdempotentRequest? = nil, by caller: OperatorCaller
    ) async throws -> StoreWrite {
        try requireUsable(limit)
        let id = try await existingID(reference, for: request)
        return StoreWrite(
            .updateWorkspace(WorkspaceUpdate(id: id, version: version, limit: limit.map { .set($0) } ?? .cleared)),
            audit: context.event(
                .workspaceLimitChanged, by: caller.authority, workspace: id, detail: LimitOverride.describe(limit)),
            request: request)
    }

    /// Moves a workspace to a plan, for good or until a time.
    ///
    /// - Parameters:
    ///   - endsAt: when it leaves the plan by itself; nil for never.
    ///   - next: the plan that it is on then; nil for the catalogue's first.
    /// - Throws: `VALIDATION_FAILED` with the fields `endsAt`, `nextPlan`; `NOT_FOUND`.
    package func moving(
        _ reference: Reference<WorkspaceID>, to planID: PlanID, endsAt: Timestamp? = nil, next: PlanID? = nil,
        version: Int? = nil, request: IdempotentRequest? = nil, by caller: OperatorCaller
    ) async throws -> StoreWrite {
        var end: PlanEnd?
        if let endsAt {
            try requireFuture(endsAt)
            var nextPlanID = next
            if nextPlanID == nil { nextPlanID = try await context.store.plans().first?.id }
            guard let nextPlanID, nextPlanID != planID else {
                throw KeybearerError.validation(["nextPlan": "Name another plan than the one that ends."])
            }
            end = PlanEnd(at: endsAt, nextPlanID: nextPlanID)
        } else if next != nil {
            throw KeybearerError.validation(["nextPlan": "It is for a plan that ends: send endsAt too."])
        }
        let id = try await existingID(reference, for: request)
        let detail = planID.rawValue + (end.map { " until \($0.at), then \($0.nextPlanID)" } ?? "")
        return StoreWrite(
            .updateWorkspace(WorkspaceUpdate(id: id, version: version, planID: planID, planEnd: end)),
            audit: context.event(.planChanged, by: caller.authority, workspace: id, detail: detail),
            request: request)
    }

    /// Begins a fresh hour of an account: what it used so far counts no more.
    ///
    /// - Throws: `NOT_FOUND`.
    package func resettingWindow(
        of reference: Reference<UserID>, request: IdempotentRequest? = nil, by caller: OperatorCaller
    ) async throws -> StoreWrite {
        let id = try await existingID(reference, for: request)
        return StoreWrite(
            .resetWindow(of: id), audit: context.event(.windowReset, by: caller.authority, user: id), request: request)
    }

    private func requireUsable(_ limit: LimitOverride?) throws(KeybearerError) {
        guard let limit else { return }
        guard LimitOverride.range.contains(limit.hourlyLimit) else {
            throw KeybearerError.validation(["hourlyLimit": "Use 0 to 1,000,000,000, or null for the plan's limit."])
        }
        if let end = limit.endsAt { try requireFuture(end) }
    }

    private func requireFuture(_ end: Timestamp) throws(KeybearerError) {
        guard context.clocks.wall() < end else {
            throw KeybearerError.validation(["endsAt": "It must be in the future."])
        }
    }

    /// Sets or clears an account's limit; returns when it holds on every node.
    ///
    /// - Throws: as ``settingLimit(_:of:version:request:by:)``; `UNAVAILABLE`.
    public func setLimit(_ limit: LimitOverride?, of userID: UserID, by caller: OperatorCaller) async throws {
        _ = try await perform(try await settingLimit(limit, of: .id(userID), by: caller), by: caller)
    }

    /// Sets or clears a workspace's limit; returns when it holds on every node.
    ///
    /// - Throws: as ``settingLimit(_:of:version:request:by:)``; `UNAVAILABLE`.
    public func setLimit(
        _ limit: LimitOverride?, of reference: Reference<WorkspaceID>, by caller: OperatorCaller
    ) async throws {
        _ = try await perform(try await settingLimit(limit, of: reference, by: caller), by: caller)
    }

    /// Moves a workspace to a plan; returns when it holds on every node.
    ///
    /// - Throws: as ``moving(_:to:endsAt:next:version:request:by:)``; `UNAVAILABLE`.
    public func move(
        _ reference: Reference<WorkspaceID>, to planID: PlanID, endsAt: Timestamp? = nil, next: PlanID? = nil,
        by caller: OperatorCaller
    ) async throws {
        let write = try await moving(reference, to: planID, endsAt: endsAt, next: next, by: caller)
        _ = try await perform(write, by: caller)
    }

    /// Begins a fresh hour of an account; returns when no node lets pass what was reserved before.
    ///
    /// - Throws: `NOT_FOUND`; `UNAVAILABLE`.
    public func resetWindow(of userID: UserID, by caller: OperatorCaller) async throws {
        _ = try await perform(try await resettingWindow(of: .id(userID), by: caller), by: caller)
    }
}
