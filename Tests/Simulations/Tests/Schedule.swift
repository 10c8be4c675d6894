import RateLimitArithmetic

/// One random history of one account: nodes that reserve, prefetch, use shared reservations, consume, stall, release,
/// crash and start again, on a clock that jumps to where buckets end.
struct Schedule {
    /// A mistake that the simulation must find.
    enum Mistake {
        /// The store charges a reservation to the minute in which it is made.
        case chargedEarly
        /// A crash takes the process's shared reservations with it.
        case sharedReservationsGoWithACrash
        /// A process leaves its shared reservations out of the sum without recording what was used of them.
        case leftOutUnrecorded
        /// The same account uses a shared reservation again before the first use is recorded.
        case usedAgainUnrecorded
        /// What is released is not told apart by how often the clock has come back.
        case releasedToAnotherBucket
    }

    /// What came of it.
    struct Outcome {
        var admitted = 0
        var refused = 0
        /// The most that any 60 minutes admitted, both ends included.
        var worstWindow = 0
        var limit = 0
        /// What the moves of the wall clock came to.
        var clock = WallClock.Outcome()
    }

    /// A reservation that the store has granted, or a shared reservation that may be used, of which the node has not
    /// heard yet.
    private struct Response {
        let node: Int
        let reservation: Reservation
        let wanted: Int
        let requestedAt: Int64
        let life: Int64
        let arrivesAt: Int64
        let kind: Kind
    }

    private enum Kind {
        case reservation
        case prefetch
        case sharedReservation
    }

    /// A shared reservation that is open in the store, whoever holds it.
    private struct OpenSharedReservation {
        let id: Int
        let process: Int
        let openedAt: Int64
        /// What the wall clock was ahead then.
        let offset: Int64
        var bucket: RateLimitWindow.Bucket
    }

    private struct Node {
        /// Another one after each crash.
        var process: Int
        var quota = LocalQuota()
        var held: OpenSharedReservation?
        var used: OpenSharedReservation?
    }

    private static let window: Int64 = 3_600_000
    private static let life: Int64 = 60_000
    private static let use: Int64 = 30_000

    private let mistake: Mistake?
    private var random: SeededGenerator
    private let limit: Int
    private var store = RateLimitWindow()
    private var sharedReservations: [OpenSharedReservation] = []
    private var nodes: [Node]
    private var lastID = 0
    private var responses: [Response] = []
    private var now: Int64 = 60_000 * 30_000_000
    private var admissions: [Int64] = []
    private var outcome = Outcome()
    private var clock: WallClock

    init(seed: UInt64, mistake: Mistake? = nil, moves: WallClock.Moves = .none) {
        self.mistake = mistake
        clock = WallClock(moves: moves)
        random = SeededGenerator(seed: seed)
        limit = 1 + random.below(40)
        nodes = (0..<(1 + random.below(3))).map { Node(process: -$0) }
        outcome.limit = limit
    }

    /// Plays the history out.
    mutating func play() -> Outcome {
        let steps = 20 + random.below(60)
        for _ in 0..<steps {
            moveClock()
            clock.move(at: now, &random)
            deliver()
            let node = random.below(nodes.count)
            switch random.below(24) {
            case 0: crash(node)
            case 1, 2: release(node)
            case 3: crashWithResponsesUnderWay(node)
            case 4, 5: openSharedReservation(node)
            case 6: record(node)
            case 7: closeSharedReservations(node)
            case 8: release(node, nodes[node].quota.withdrawExpired(at: steady))
            default: burst(node)
            }
        }
        outcome.clock = clock.outcome
        return outcome
    }

    private var steady: SteadyTime { SteadyTime(nanoseconds: now * 1_000_000) }
    private var wall: Timestamp { Timestamp(millisecondsSinceEpoch: now + clock.offset) }

    private mutating func moveClock() {
        let intoMinute = now % 60_000
        switch random.below(10) {
        case 0...2: now += Int64(random.below(50))
        case 3: now += 60_000 - intoMinute - 1  // the last millisecond of the bucket
        case 4: now += 60_000 - intoMinute  // the first of the next
        case 5: now += Int64(random.below(60_000))
        case 6: now += Int64(random.below(20 * 60_000))
        case 7: now += Self.window - Int64(random.below(3)) * 60_000 - intoMinute + Int64(random.below(3)) - 1
        case 8: now += Self.life - 1
        default: now += Int64(random.below(5_000))
        }
    }

    /// Hands over the answers whose time has come, in any order between nodes.
    private mutating func deliver() {
        for response in responses where response.arrivesAt <= now {
            // What the node held meanwhile was withdrawn before it asked; what it got since is released first.
            let requestedAt = SteadyTime(nanoseconds: response.requestedAt * 1_000_000)
            if response.kind == .prefetch {
                nodes[response.node].quota.acceptPrefetched(
                    response.reservation, requestedAt: requestedAt, life: .milliseconds(response.life), now: steady)
                continue
            }
            release(response.node)
            nodes[response.node].quota.accept(
                response.reservation, wanted: response.wanted, limit: limit,
                requestedAt: requestedAt, life: .milliseconds(response.life), now: steady, patience: .seconds(1))
        }
        responses.removeAll { $0.arrivesAt <= now }
    }

    private mutating func burst(_ node: Int) {
        for _ in 0..<(1 + random.below(limit + 5)) {
            switch nodes[node].quota.consume(limit: limit, now: steady, wall: wall) {
            case .admitted:
                admit()
                if random.below(4) == 0 { prefetch(node) }
            case .exhausted(let status):
                outcome.refused += 1
                clock.report(status, at: now)
            case .needsReservation:
                if !useSharedReservation(node) { reserve(node) }
                if responses.contains(where: { $0.node == node }) { return }
            }
        }
    }

    private mutating func reserve(_ node: Int) {
        let unused = nodes[node].quota.withdraw()
        reserve(node, unused, kind: .reservation)
    }

    private mutating func prefetch(_ node: Int) {
        let wanted = nodes[node].quota.prefetchSize(
            limit: 1_000, smallest: 1, life: .milliseconds(Self.life), now: steady)
        guard wanted > 0, !responses.contains(where: { $0.node == node }) else { return }
        reserve(node, [], kind: .prefetch)
    }

    private mutating func reserve(_ node: Int, _ unused: [LocalQuota.Unused], kind: Kind) {
        // While it has not heard whether it may use a shared reservation, nobody leaves its shared reservations out.
        let isBeingUsed = responses.contains { $0.node == node && $0.kind == .sharedReservation }
        if !isBeingUsed, mistake != .leftOutUnrecorded { record(node) }
        release(node, unused)
        let wanted = 1 + random.below(limit)
        let requestedAt = now
        // The request takes a while to reach the store, and the answer a while to come back.
        if random.below(6) == 0 { now += Int64(random.below(2_000)) }
        let reservation = store.reserve(
            wanted, limit: limit, life: .milliseconds(mistake == .chargedEarly ? 0 : Self.life), now: wall,
            leavingRoom: random.below(2) == 0, sharedReservations: isBeingUsed ? counted() : others(than: node))
        clock.look(reservation, limit: limit, at: now, view: isBeingUsed ? -1 : node)
        expect(reservation, wanted: wanted, of: node, requestedAt: requestedAt, life: Self.life, kind: kind)
    }

    private mutating func expect(
        _ reservation: Reservation, wanted: Int, of node: Int, requestedAt: Int64, life: Int64, kind: Kind
    ) {
        let delay: Int64 = random.below(8) == 0 ? Int64(random.below(120_000)) : 0
        responses.append(
            Response(
                node: node, reservation: reservation, wanted: wanted, requestedAt: requestedAt, life: life,
                arrivesAt: now + delay, kind: kind))
        if delay == 0 { deliver() }
    }

    private mutating func release(_ node: Int) {
        release(node, nodes[node].quota.withdraw())
    }

    private mutating func release(_ node: Int, _ unused: [LocalQuota.Unused]) {
        for unused in unused {
            let isForged = mistake == .releasedToAnotherBucket
            store.release(unused.count, minute: isForged ? forged(unused.minute) : unused.minute)
        }
    }

    /// The minute as if the clock had come back as often then as it has by now.
    private func forged(_ minute: Int64) -> Int64 {
        let form = store.storedForm
        let comebacks = Int64(form[7]) << 8 | Int64(form[6])
        // Above the 40 bits of the minute stands how often the clock had come back.
        return comebacks << 40 | minute & (1 << 40 - 1)
    }

    /// What it held is lost, and stays charged; so do its shared reservations.
    private mutating func crash(_ node: Int) {
        if mistake == .sharedReservationsGoWithACrash {
            sharedReservations.removeAll { $0.process == nodes[node].process }
        }
        responses.removeAll { $0.node == node && $0.kind == .sharedReservation }
        lastID += 1
        nodes[node] = Node(process: lastID)
        clock.recordCrash()
    }

    /// The answers reach a process that no longer is.
    private mutating func crashWithResponsesUnderWay(_ node: Int) {
        responses.removeAll { $0.node == node }
        crash(node)
    }

    private mutating func openSharedReservation(_ node: Int) {
        lastID += 1
        let sharedReservation = OpenSharedReservation(
            id: lastID, process: nodes[node].process, openedAt: now, offset: clock.offset,
            bucket: .init(
                minute: RateLimitWindow.minute(of: wall.advanced(by: .milliseconds(Self.life))),
                count: 1 + random.below(max(1, limit / 3))))
        sharedReservations.append(sharedReservation)
        nodes[node].held = sharedReservation
        clock.recordCharge()
    }

    private mutating func useSharedReservation(_ node: Int) -> Bool {
        let isAgain = nodes[node].used != nil && mistake != .usedAgainUnrecorded
        guard let held = nodes[node].held, now + Self.use <= held.openedAt + Self.life, !isAgain,
            abs(held.offset - clock.offset) < 1_000,
            !responses.contains(where: { $0.node == node }), nodes[node].quota.isIdle(at: steady)
        else { return false }
        let response = store.use(held.bucket, limit: limit, now: wall, sharedReservations: others(than: node))
        guard response.granted > 0 else { return false }
        nodes[node].used = held
        expect(response, wanted: response.granted, of: node, requestedAt: now, life: Self.use, kind: .sharedReservation)
        return true
    }

    private mutating func record(_ node: Int) {
        guard let used = nodes[node].used,
            !responses.contains(where: { $0.node == node && $0.kind == .sharedReservation })
        else {
            return
        }
        store.record(used.bucket.count, minute: used.bucket.minute)
        clock.recordCharge()
        nodes[node].used = nil
    }

    private mutating func closeSharedReservations(_ node: Int) {
        let kept = [nodes[node].held?.id, nodes[node].used?.id]
        sharedReservations.removeAll { $0.process == nodes[node].process && !kept.contains($0.id) }
    }

    private mutating func others(than node: Int) -> [RateLimitWindow.Bucket] {
        let process = nodes[node].process
        return counted().indices.filter { sharedReservations[$0].process != process }.map {
            sharedReservations[$0].bucket
        }
    }

    /// Folds what lies ahead, and keeps it so, as a store does in whatever it writes.
    private mutating func counted() -> [RateLimitWindow.Bucket] {
        for index in sharedReservations.indices {
            sharedReservations[index].bucket.minute = RateLimitWindow.foldedMinute(
                sharedReservations[index].bucket.minute, at: wall)
        }
        return sharedReservations.map(\.bucket)
    }

    private mutating func admit() {
        admissions.append(now)
        outcome.admitted += 1
        var first = admissions.count - 1
        while first > 0, now - admissions[first - 1] <= Self.window { first -= 1 }
        outcome.worstWindow = max(outcome.worstWindow, admissions.count - first)
        clock.check(admitted: admissions.count - first, limit: limit, since: admissions[first])
    }
}
