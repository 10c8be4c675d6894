/// Names a plan of the catalogue; the operator chooses it, such as `free` or `pro`.
public struct PlanID: RawRepresentable, Sendable, Hashable, CustomStringConvertible {
    public let rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }
    public var description: String { rawValue }
}

/// Something that a plan may include.
public struct Feature: RawRepresentable, Sendable, Hashable, Comparable, CustomStringConvertible {
    public let rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }
    public var description: String { rawValue }

    /// "API & Webhooks": the feature that every request needs.
    public static let apiWebhooks = Feature(rawValue: "api_webhooks")

    /// Every feature that there is. A database may hold others, which mean nothing.
    public static let all: [Feature] = [.apiWebhooks]

    /// What people call the feature.
    public var displayName: String { self == .apiWebhooks ? "API & Webhooks" : rawValue }

    public static func < (left: Feature, right: Feature) -> Bool { left.rawValue < right.rawValue }
}

/// An entry of the operator's catalogue: what a workspace on it may use and how much.
public struct Plan: Sendable, Hashable {
    /// Names the plan.
    public let id: PlanID
    /// What people call it.
    public internal(set) var name: String
    /// What it includes.
    public let features: Set<Feature>
    /// Requests that an account may make in any 60 minutes.
    public let hourlyLimit: Int
    /// Where an Owner goes to move to this plan; nil when the operator moves workspaces by hand.
    public let billingURL: BillingURL?
    /// Its place in the catalogue. New workspaces start on the first.
    public let position: Int

    /// Puts a plan together.
    public init(
        id: PlanID, name: String, features: Set<Feature>, hourlyLimit: Int, billingURL: BillingURL? = nil, position: Int
    ) {
        self.id = id
        self.name = name
        self.features = features
        self.hourlyLimit = hourlyLimit
        self.billingURL = billingURL
        self.position = position
    }

    /// Whether requests with a key pass on this plan.
    public var includesAPI: Bool { features.contains(.apiWebhooks) }

    /// The hourly limit of the default catalogue, and of an account that has no workspace.
    package static let defaultHourlyLimit = 1_000

    /// The catalogue that a new store starts with.
    package static let defaultCatalogue = [
        Plan(
            id: PlanID(rawValue: "free"), name: "Free", features: [], hourlyLimit: defaultHourlyLimit, position: 0),
        Plan(
            id: PlanID(rawValue: "pro"), name: "Pro", features: [.apiWebhooks], hourlyLimit: defaultHourlyLimit,
            position: 1),
    ]
}
