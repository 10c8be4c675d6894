/// Something that the operator gave an end, and whose time has come.
package enum DueEnd: Sendable, Hashable {
    /// An override of an account's limit.
    case userLimit(UserID)
    /// An override of a workspace's limit.
    case workspaceLimit(WorkspaceID)
    /// The plan of a workspace, with the one that it is on afterwards.
    case plan(of: WorkspaceID, next: PlanID)

    /// Its audit row: nobody in particular did it.
    func event(in context: ServiceContext) -> AuditEvent {
        switch self {
        case .userLimit(let id):
            context.event(.userLimitChanged, by: .itself, user: id, detail: LimitOverride.describe(nil))
        case .workspaceLimit(let id):
            context.event(.workspaceLimitChanged, by: .itself, workspace: id, detail: LimitOverride.describe(nil))
        case .plan(let id, let next):
            context.event(.planChanged, by: .itself, workspace: id, detail: next.rawValue)
        }
    }
}

/// Finds what has to end, and ends it.
package protocol DueEndStore: Sendable {
    /// What has to end by now, at most so many of each kind.
    func dueEnds(now: Timestamp, limit: Int) async throws -> [DueEnd]
    /// Ends one of them, unless somebody changed it meanwhile.
    func end(_ due: DueEnd, audit: AuditEvent) async throws -> Committed<Void>
}

extension Node {
    /// How late something may end whose time has come, while a node runs and the database answers.
    static let endInterval: Duration = .seconds(5)
    /// How many of each kind are ended in one round.
    private static let mostEnds = 100

    /// Ends what has to end: overrides of limits and plans, as changes that every node applies. What fails is tried
    /// again with the next round; of two nodes that do it at the same moment one finds nothing to do.
    package func endWhatIsDue() async {
        let store = context.store
        guard let due = try? await store.dueEnds(now: context.clocks.wall(), limit: Self.mostEnds) else { return }
        for one in due {
            guard let ended = try? await store.end(one, audit: one.event(in: context)) else { continue }
            await fence.waitUntilApplied(ended)
        }
    }
}
