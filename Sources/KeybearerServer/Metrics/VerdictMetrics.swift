import CoreMetrics
import Keybearer

/// Where keys are decided about.
enum Surface: String, CaseIterable {
    /// What gateways ask.
    case gate
    /// `/api/v1`.
    case api
    /// `POST /operator/v1/introspect`.
    case introspection
    /// Inside a Hummingbird application.
    case middleware
}

/// Counts what keys came to at one surface, and how long the answers took.
struct VerdictMetrics: Sendable {
    /// What a verdict is called. The order is that of ``VerdictMetrics/counters``.
    enum Name: String, CaseIterable {
        case admitted, unauthorized
        case featureLocked = "feature_locked"
        case notAMember = "not_a_member"
        case addressNotAllowed = "address_not_allowed"
        case rateLimited = "rate_limited"
        case throttled, unavailable

        /// - Returns: nil where nothing is decided yet.
        init?(_ verdict: Verdict) {
            switch verdict {
            case .admitted: self = .admitted
            case .unauthorized: self = .unauthorized
            case .featureLocked: self = .featureLocked
            case .notAMember: self = .notAMember
            case .addressNotAllowed: self = .addressNotAllowed
            case .rateLimited: self = .rateLimited
            case .throttled: self = .throttled
            case .unavailable: self = .unavailable
            case .needsStore: return nil
            }
        }
    }

    private let counters: [Counter]
    private let duration: Timer
    private let clocks: Clocks

    /// - Returns: nil where nobody looks at it: then the request path reads no clock for it.
    init?(_ surface: Surface, of node: Node, clocks: Clocks) {
        guard node.metrics.isOn else { return nil }
        let factory = node.metrics.factory
        counters = Name.allCases.map { Self.verdicts.counter(surface.rawValue, $0.rawValue, in: factory) }
        duration = Self.seconds.timer(surface.rawValue, in: factory)
        self.clocks = clocks
    }

    /// Counts an answer.
    ///
    /// - Parameter begun: when the request's last byte had been read.
    func record(_ verdict: Verdict, since begun: SteadyTime) {
        guard let index = Self.index(of: verdict) else { return }
        counters[index].increment()
        duration.record(begun.duration(to: clocks.steady()))
    }

    /// The place of its name; nil where nothing is decided yet.
    private static func index(of verdict: Verdict) -> Int? {
        switch verdict {
        case .admitted: 0
        case .unauthorized: 1
        case .featureLocked: 2
        case .notAMember: 3
        case .addressNotAllowed: 4
        case .rateLimited: 5
        case .throttled: 6
        case .unavailable: 7
        case .needsStore: nil
        }
    }

    static let verdicts = MetricDefinition(
        "keybearer_verdicts_total", .counter,
        "Requests with or without a key, by where they came and what was decided.",
        labels: [
            .init("surface", Surface.allCases.map(\.rawValue)), .init("verdict", Name.allCases.map(\.rawValue)),
        ])
    static let seconds = MetricDefinition(
        "keybearer_decision_seconds", .histogram,
        "From a request's last byte to what was decided about its key, reads of the database included.",
        labels: [.init("surface", Surface.allCases.map(\.rawValue))])
}
