import RateLimitArithmetic

/// A wall clock that is wrong at times, and what real time says about that.
struct WallClock {
    /// How it moves.
    enum Moves {
        /// It is right.
        case none
        /// It is set back, by milliseconds and by hours, and never forward.
        case back
        /// It is set forward and back, by milliseconds, hours and a year.
        case both
        /// As `both`, by hours and a year alone.
        case far
    }

    /// What came of it.
    struct Outcome {
        /// Whether 60 real minutes admitted more than the limit, and as much again for each forward step.
        var exceeds = false
        /// Whether nothing was granted when the answer of a refusal had said that something would come back.
        var isUntrue = false
        /// For how many milliseconds an account was refused at most, counted from the first refusal behind the clock's
        /// last move, with nothing charged meanwhile.
        var longestLock: Int64 = 0
        /// The longest wait that was reported.
        var longestWait: Int64 = 0
        var steps = 0
    }

    private static let window: Int64 = 3_600_000
    private static let year: Int64 = 365 * 24 * 3_600_000

    /// How many milliseconds it is ahead of real time.
    private(set) var offset: Int64 = 0
    private(set) var outcome = Outcome()
    private let moves: Moves
    private var forwardSteps: [Int64] = []
    private var lockedSince: Int64?
    /// When something comes back, as a refusal said, by what the one who asked leaves out of the sum.
    private var reported: [Int: Int64] = [:]

    init(moves: Moves) {
        self.moves = moves
    }

    /// Moves it at times.
    mutating func move(at now: Int64, _ random: inout SeededGenerator) {
        if moves == .none || random.below(8) > 0 { return }
        let small = Int64(1 + random.below(100_000))
        let steps: [Int64] =
            switch moves {
            case .none: [0]
            case .back: [-small, -small / 1_000 - 1, -Self.window, -2 * Self.window, -3 * 60_000]
            case .both: [-small, small, -Self.window, 2 * Self.window, Self.year, -Self.year, -offset]
            case .far: [-Self.window, 2 * Self.window, Self.year, -Self.year]
            }
        let step = steps[random.below(steps.count)]
        // Never before the epoch.
        guard step != 0, now + offset + step > Self.window else { return }
        offset += step
        outcome.steps += 1
        if step > 0 { forwardSteps.append(now) }
        lockedSince = nil
        reported = [:]
    }

    /// Something was charged: what is refused now is not refused for what was charged before.
    mutating func recordCharge() {
        lockedSince = nil
        reported = [:]
    }

    /// A process ended: others leave out what it did not.
    mutating func recordCrash() { reported = [:] }

    /// What the store answered.
    ///
    /// - Parameter view: what the one who asked leaves out of the sum.
    mutating func look(_ response: Reservation, limit: Int, at now: Int64, view: Int) {
        guard response.granted == 0 else { return recordCharge() }
        let since = lockedSince ?? now
        lockedSince = since
        outcome.longestLock = max(outcome.longestLock, now - since)
        if let reported = reported[view], now >= reported { outcome.isUntrue = true }
        // Where more is charged than the limit, what comes back first may not be enough.
        if response.charged == limit, reported[view] == nil, let first = response.resets.first {
            reported[view] = now + first.after.wholeMilliseconds
        }
    }

    /// What a node reported to its client.
    mutating func report(_ status: RateLimitStatus, at now: Int64) {
        outcome.longestWait = max(outcome.longestWait, status.resetsAfter.wholeMilliseconds)
    }

    /// - Parameters:
    ///   - admitted: so many in the 60 minutes that end now.
    ///   - start: the first of them.
    mutating func check(admitted: Int, limit: Int, since start: Int64) {
        // What was reserved before a step can be used after it, for as long as a reservation lives.
        let steps = forwardSteps.count { $0 >= start - 60_000 }
        if admitted > limit * (steps + 1) { outcome.exceeds = true }
    }
}
