/// An hourly limit in place of the plan's: of one account, or of one workspace.
public struct LimitOverride: Sendable, Hashable {
    /// Requests in any 60 minutes; 0 lets none pass.
    public let hourlyLimit: Int
    /// When the plan's limit holds again; nil for never.
    public let endsAt: Timestamp?

    /// What a limit may be.
    public static let range = 0...1_000_000_000

    /// Puts an override together.
    public init(hourlyLimit: Int, endsAt: Timestamp? = nil) {
        self.hourlyLimit = hourlyLimit
        self.endsAt = endsAt
    }

    /// What the audit log says of a limit, such as `500 until 2026-12-01T00:00:00Z`.
    package static func describe(_ limit: LimitOverride?) -> String {
        guard let limit else { return "by plan" }
        return "\(limit.hourlyLimit)" + (limit.endsAt.map { " until \($0)" } ?? "")
    }
}

extension Account {
    /// How many requests the account may make in any 60 minutes in one of its workspaces: by its own override, by the
    /// workspace's, or by the plan.
    public func hourlyLimit(in access: WorkspaceAccess) -> Int { user.limit?.hourlyLimit ?? access.hourlyLimit }

    /// The workspace that decides when a request names none: the one with the largest hourly limit among those where
    /// keys pass; nil when there is none.
    public var decidingAccess: WorkspaceAccess? {
        workspaces.lazy.filter(\.includesAPI).max { hourlyLimit(in: $0) < hourlyLimit(in: $1) }
    }

    /// The largest limit of any of its workspaces: what is shown while keys pass in none.
    var largestLimit: Int {
        user.limit?.hourlyLimit ?? workspaces.lazy.map(\.hourlyLimit).max() ?? Plan.defaultHourlyLimit
    }
}
