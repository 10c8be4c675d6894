import BudgetArithmetic

/// SplitMix64: fast, seeded, the same everywhere.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }
}

/// One random history of one account: nodes that reserve, spend, stall, give back, crash and start again, on a clock
/// that jumps to where buckets end.
struct Schedule {
    /// What came of it.
    struct Outcome {
        var admitted = 0
        var refused = 0
        /// The most that any 60 minutes admitted, both ends included.
        var worstHour = 0
        var limit = 0
    }

    /// A reservation that the store has granted and the node has not heard of yet.
    private struct Answer {
        let node: Int
        let reservation: Reservation
        let wanted: Int
        let askedAt: Int64
        let arrivesAt: Int64
    }

    private static let hour: Int64 = 3_600_000
    private static let life: Int64 = 60_000

    /// How long the store believes that a reservation may be used. The node believes ``life``. Anything shorter is the
    /// hole that the simulation must find.
    private let storeLife: Int64
    private var random: SeededGenerator
    private let limit: Int
    private var store = RollingHour()
    private var nodes: [BudgetLease]
    private var answers: [Answer] = []
    private var now: Int64 = 60_000 * 30_000_000
    private var admissions: [Int64] = []
    private var outcome = Outcome()

    init(seed: UInt64, storeLife: Int64 = Schedule.life) {
        self.storeLife = storeLife
        random = SeededGenerator(seed: seed)
        limit = 1 + random.below(40)
        nodes = Array(repeating: BudgetLease(), count: 1 + random.below(3))
        outcome.limit = limit
    }

    /// Plays the history out.
    mutating func play() -> Outcome {
        let steps = 20 + random.below(60)
        for _ in 0..<steps {
            moveClock()
            deliver()
            let node = random.below(nodes.count)
            switch random.below(20) {
            case 0: nodes[node] = BudgetLease()  // a crash: what it held is lost, and stays charged
            case 1, 2: giveBack(node)
            case 3: crashWithAnswersUnderWay(node)
            default: burst(node)
            }
        }
        return outcome
    }

    private var steady: SteadyTime { SteadyTime(nanoseconds: now * 1_000_000) }
    private var wall: Timestamp { Timestamp(millisecondsSinceEpoch: now) }

    private mutating func moveClock() {
        let intoMinute = now % 60_000
        switch random.below(10) {
        case 0...2: now += Int64(random.below(50))
        case 3: now += 60_000 - intoMinute - 1  // the last millisecond of the bucket
        case 4: now += 60_000 - intoMinute  // the first of the next
        case 5: now += Int64(random.below(60_000))
        case 6: now += Int64(random.below(20 * 60_000))
        case 7: now += Self.hour - Int64(random.below(3)) * 60_000 - intoMinute + Int64(random.below(3)) - 1
        case 8: now += Self.life - 1
        default: now += Int64(random.below(5_000))
        }
    }

    /// Hands over the answers whose time has come, in any order between nodes.
    private mutating func deliver() {
        for answer in answers where answer.arrivesAt <= now {
            // What the node held meanwhile was withdrawn before it asked; what it got since is given back first.
            giveBack(answer.node)
            nodes[answer.node].accept(
                answer.reservation, wanted: answer.wanted, limit: limit,
                askedAt: SteadyTime(nanoseconds: answer.askedAt * 1_000_000), life: .milliseconds(Self.life),
                now: steady, patience: .seconds(1))
        }
        answers.removeAll { $0.arrivesAt <= now }
    }

    private mutating func burst(_ node: Int) {
        for _ in 0..<(1 + random.below(limit + 5)) {
            switch nodes[node].spend(limit: limit, now: steady) {
            case .admitted: admit()
            case .exhausted: outcome.refused += 1
            case .needsReservation:
                reserve(node)
                if answers.contains(where: { $0.node == node }) { return }
            }
        }
    }

    private mutating func reserve(_ node: Int) {
        let unused = nodes[node].withdraw()
        if let unused { store.giveBack(unused.count, minute: unused.minute) }
        let wanted = 1 + random.below(limit)
        let askedAt = now
        // The request takes a while to reach the store, and the answer a while to come back.
        if random.below(6) == 0 { now += Int64(random.below(2_000)) }
        let reservation = store.reserve(
            wanted, limit: limit, life: .milliseconds(storeLife), now: wall, leavingRoom: random.below(2) == 0)
        let delay: Int64 = random.below(8) == 0 ? Int64(random.below(120_000)) : 0
        answers.append(
            Answer(node: node, reservation: reservation, wanted: wanted, askedAt: askedAt, arrivesAt: now + delay))
        if delay == 0 { deliver() }
    }

    private mutating func giveBack(_ node: Int) {
        if let unused = nodes[node].withdraw() { store.giveBack(unused.count, minute: unused.minute) }
    }

    /// The answers reach a process that no longer is.
    private mutating func crashWithAnswersUnderWay(_ node: Int) {
        answers.removeAll { $0.node == node }
        nodes[node] = BudgetLease()
    }

    private mutating func admit() {
        admissions.append(now)
        outcome.admitted += 1
        var first = admissions.count - 1
        while first > 0, now - admissions[first - 1] <= Self.hour { first -= 1 }
        outcome.worstHour = max(outcome.worstHour, admissions.count - first)
    }
}
