/// How a process stands with the store: under which id it is registered, and what it acknowledged.
struct FenceRegistration {
    var nodeID: NodeID?
    /// Registrations of this process that it has given up and whose rows may still be there. Nobody believes anything
    /// under them, but other nodes would wait for each until its lease has run out.
    var givenUp: [NodeID] = []
    var isBusy = false
    /// Those who wait until no step runs.
    var awaitingRest: [CheckedContinuation<Void, Never>] = []
    var lastRenewalAt = SteadyTime.distantPast
    var acknowledged: ChangeLogPosition?
    /// The numbers behind that one whose changes this process waits for itself.
    var ownChanges: Set<Int64> = []
    var isStopped = false
    /// Why the database is not the one any more that this process opened; nil while it is.
    var loss: DatabaseLost?

    /// Whether somebody may wait until this node acknowledges a position: it has a change from elsewhere behind
    /// what is acknowledged. Who waits in this process leaves its own node out.
    func isAwaited(at position: ChangeLogPosition) -> Bool {
        guard let acknowledged, position.number >= acknowledged.number else { return true }
        let ownNewChanges = ownChanges.count { $0 > acknowledged.number && $0 <= position.number }
        return position.number - acknowledged.number > ownNewChanges
    }

    /// Whether nothing may be believed any more, whatever the store says.
    var isOver: Bool { isStopped || loss != nil }

    /// Gives the registration up; its row is removed before the next one is made.
    mutating func giveUp() {
        if let nodeID { givenUp.append(nodeID) }
        nodeID = nil
    }

    mutating func recordAcknowledged(_ position: ChangeLogPosition, requestedAt: SteadyTime) {
        lastRenewalAt = requestedAt
        acknowledged = position
        ownChanges = ownChanges.filter { $0 > position.number }
    }
}
