package import Keybearer

/// An hourly limit in place of the plan's.
package struct LimitJSON: JSONNoun {
    let hourlyLimit: Int
    let endsAt: Nullable<Timestamp>

    package init(_ limit: LimitOverride) {
        (hourlyLimit, endsAt) = (limit.hourlyLimit, Nullable(limit.endsAt))
    }

    package static let noun = "Limit"
    package static let sample = LimitJSON(LimitOverride(hourlyLimit: 5_000))
}
