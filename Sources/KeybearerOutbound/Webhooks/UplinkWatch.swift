/// Tells whether it is this machine that reaches nobody: an outage of its network is no endpoint's failure.
///
/// The witnesses are hosts that this process has reached before. Several of them out of reach, and none within reach, for a
/// minute: then it is this side, for half an hour at most. So hosts that never answered are their owners' failure, and
/// nobody makes an outage of them.
struct UplinkWatch: Sendable {
    /// What an attempt says of the way to a host.
    enum Sign: Sendable {
        /// Something came from there: an answer, a refusal, the end of a connection.
        case reached
        /// Nothing came, as where there is no way.
        case silent
        /// It says neither, such as an answer that did not come in time.
        case neither
    }

    /// So many witnesses have to fail.
    static let fewest = 3
    /// And nothing was reached for so long.
    static let span: Duration = .seconds(60)
    /// So long an outage is believed.
    static let longest: Duration = .seconds(1_800)
    private static let mostWitnesses = 10_000

    private var witnesses: Set<String> = []
    private var lastReached: ContinuousClock.Instant?
    /// When each witness was found out of reach last.
    private var missing: [String: ContinuousClock.Instant] = [:]
    private var outageBegan: ContinuousClock.Instant?

    /// Takes what an attempt says of a host.
    ///
    /// - Returns: whether its failure is this side's.
    mutating func take(_ sign: Sign, of host: String, at now: ContinuousClock.Instant) -> Bool {
        switch sign {
        case .reached:
            if witnesses.count >= Self.mostWitnesses { witnesses.removeFirst() }
            witnesses.insert(host)
            (lastReached, missing, outageBegan) = (now, [:], nil)
            return false
        case .silent:
            if witnesses.contains(host) { missing[host] = now }
            return isOutage(at: now)
        case .neither: return false
        }
    }

    private mutating func isOutage(at now: ContinuousClock.Instant) -> Bool {
        missing = missing.filter { $0.value.duration(to: now) < Self.span }
        guard let lastReached, lastReached.duration(to: now) >= Self.span, missing.count >= Self.fewest else {
            return false
        }
        let began = outageBegan ?? now
        outageBegan = began
        return began.duration(to: now) < Self.longest
    }
}
