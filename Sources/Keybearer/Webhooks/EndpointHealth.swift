/// What is known of an endpoint from its attempts: whether it fails, since when, and which notices were sent.
/// Pure: whoever keeps it does what it asks for.
///
/// Only attempts count that reached for the endpoint; what failed on our side says nothing about it.
package struct EndpointHealth: Sendable, Hashable {
    /// The last notice of a failure that goes on.
    package enum Notice: Int, Sendable, Hashable, CaseIterable, Comparable {
        case none = 0
        /// It has failed for ``sustained``.
        case failing
        /// Half of the time until it is disabled has passed.
        case half
        /// Nine tenths of it.
        case almost

        package static func < (left: Notice, right: Notice) -> Bool { left.rawValue < right.rawValue }
    }

    /// What is to be done behind an attempt.
    package enum Action: Sendable, Hashable {
        /// Send whoever has the endpoint a notice that it fails.
        case notify(Notice)
        /// Disable it, and send a notice.
        case disable
        /// Send a notice that it works again.
        case notifyOfRecovery
    }

    /// How long failures alone last until the first notice.
    package static let sustained: Duration = .seconds(30 * 60)
    /// How long failures alone last until the endpoint is disabled.
    package static let patience: Duration = .seconds(5 * 24 * 3_600)
    /// So many failures in a row pause an endpoint.
    package static let failuresUntilPause = 5
    /// The longest pause between two probes.
    package static let longestPause: Duration = .seconds(5 * 60)

    /// When the first of the failures ended since which nothing succeeded; nil while it works.
    package private(set) var failingSince: Timestamp?
    /// The last notice of them.
    package private(set) var notice: Notice
    /// How many there are in a row.
    package private(set) var failures: Int
    /// Until when no more is tried than one message, as a probe; nil while it works.
    package private(set) var pausedUntil: Timestamp?

    /// What is kept of an endpoint; without arguments, of a new one.
    package init(
        failingSince: Timestamp? = nil, notice: Notice = .none, failures: Int = 0, pausedUntil: Timestamp? = nil
    ) {
        self.failingSince = failingSince
        self.notice = notice
        self.failures = failures
        self.pausedUntil = pausedUntil
    }

    /// An attempt succeeded.
    package mutating func succeeded() -> [Action] {
        let wasNoticed = notice != .none
        self = EndpointHealth()
        return wasNoticed ? [.notifyOfRecovery] : []
    }

    /// An attempt failed.
    ///
    /// - Parameters:
    ///   - now: when it ended.
    ///   - began: when the attempt began. Those that were under way when the pause began say nothing more than the one
    ///     that began it.
    ///   - isGone: whether the endpoint says that it is gone for good (410).
    package mutating func failed(at now: Timestamp, began: Timestamp? = nil, isGone: Bool = false) -> [Action] {
        let since = min(failingSince ?? now, now)
        failingSince = since
        if !wasUnderWay(began) {
            failures = min(failures + 1, 1_000_000)
            if failures >= Self.failuresUntilPause { pausedUntil = now.advanced(by: pause) }
        }
        let length = since.duration(to: now)
        if isGone || length >= Self.patience { return [.disable] }
        let due = Self.due(after: length)
        guard due > notice else { return [] }
        notice = due
        return [.notify(due)]
    }

    /// Whether an attempt began before the pause did.
    private func wasUnderWay(_ began: Timestamp?) -> Bool {
        guard let began, let pausedUntil else { return false }
        return began < pausedUntil.advanced(by: .zero - pause)
    }

    /// The notice for failures that have lasted for a span.
    private static func due(after length: Duration) -> Notice {
        if length >= patience / 10 * 9 { return .almost }
        if length >= patience / 2 { return .half }
        return length >= sustained ? .failing : .none
    }

    /// Somebody has enabled it again: what was before counts no more.
    package mutating func enabled() { self = EndpointHealth() }

    /// How many messages may be under way at a time.
    package func concurrency(at now: Timestamp, most: Int) -> Int {
        guard let pausedUntil else { return most }
        return now < pausedUntil ? 0 : 1
    }

    /// It doubles with every failure, from five seconds.
    private var pause: Duration {
        let doublings = min(failures - Self.failuresUntilPause, 10)
        return min(.seconds(Int64(5) << Int64(doublings)), Self.longestPause)
    }
}
