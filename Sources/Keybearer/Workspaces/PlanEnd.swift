/// When a workspace leaves its plan by itself: the end of a trial, or of a time of grace.
public struct PlanEnd: Sendable, Hashable {
    /// When that is.
    public let at: Timestamp
    /// The plan that it is on afterwards.
    public let nextPlanID: PlanID

    /// Puts both together.
    public init(at: Timestamp, nextPlanID: PlanID) {
        self.at = at
        self.nextPlanID = nextPlanID
    }
}
