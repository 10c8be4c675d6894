import TestSupport
import Testing

@testable import Keybearer

/// A random history of one process: requests, batches, reclaims and failures in any order, over real windows and real
/// local quota. Each list of actions is performed step by step, with others between its steps, as threads would.
struct ReservationWalk {
    typealias Machine = ReservationMachine<Int>

    /// What is under way: a list of actions of which the first is next, or something at the store.
    private enum Work {
        case actions([Machine.Action])
        case fetch([Machine.Pending])
        case fetched(Result<[QuotaResponse?], any Error>)
        case reclaim(Int)
        case lookAgain(Int, [Machine.Pending])
        case looked(Int, Result<[QuotaResponse], any Error>)
    }

    private let random: RandomSource
    private let limit: Int
    private let accountStates: [AccountState]
    private var machine = Machine()
    private var watch = ReservationWatch()
    private var windows: [UserID: RateLimitWindow] = [:]
    private var work: [Work] = []
    private var now: Int64 = 1_000
    private var lastWaiter = 0
    private var waiting: Set<Int> = []
    private var consumed: [UserID: Int] = [:]
    /// What another node holds.
    private var elsewhere: [UserID: [LocalQuota.Unused]] = [:]
    /// What stays charged because the store failed.
    private var lost: [UserID: Int] = [:]
    private var reclaiming: Set<UserID> = []
    private var isFetching = false
    private var stopper: Int?

    /// What the walk came across.
    private(set) var seen: Set<String> = []
    private(set) var violations: [String] = []

    init(seed: UInt64) {
        random = .seeded(seed)
        // Near the limit all is reclaimed, far from it there is enough to prefetch.
        limit = random.below(3) > 0 ? 20 + random.below(60) : 500 + random.below(500)
        accountStates = (0..<3).map { AccountState(userID: UserID(rawValue: "user \($0)")) }
    }

    mutating func play() {
        let steps = 100 + random.below(200)
        let stop = random.below(2 * steps)
        for step in 0..<steps {
            if random.below(20) == 0 {
                // Seldom enough that no two reservations of an account end unseen.
                releaseExpired()
                now += Int64(random.below(20_000))
            }
            now += Int64(random.below(30))
            if step == stop { requestStop() }
            if !work.isEmpty, random.below(3) > 0 { advance() } else { begin() }
        }
        finish()
    }

    private var steady: SteadyTime { SteadyTime(nanoseconds: now * 1_000_000) }
    private var wall: Timestamp { Timestamp(millisecondsSinceEpoch: 60_000 * 30_000_000 + now) }
    private var someAccount: AccountState { accountStates[random.below(accountStates.count)] }
    private var someLimit: Int { random.below(8) == 0 ? limit / 2 : limit }

    private mutating func newWaiter() -> Int {
        lastWaiter += 1
        waiting.insert(lastWaiter)
        return lastWaiter
    }

    private mutating func requestStop() {
        stopper = newWaiter()
        react(to: machine.stop(lastWaiter))
    }

    // MARK: - What happens

    private mutating func begin() {
        let accountState = someAccount
        switch random.below(12) {
        case 0...3:
            react(to: machine.request(.reserve, for: accountState, limit: someLimit, waiter: newWaiter()))
        case 4: react(to: machine.request(.look, for: accountState, limit: limit, waiter: newWaiter()))
        case 5: react(to: machine.prefetch([(someAccount, limit), (someAccount, limit)]))
        case 6...8: consume(accountState)
        case 9: releaseExpired()
        case 10: releaseReclaimed(accountState.userID)
        default: changeElsewhere(accountState.userID)
        }
    }

    private mutating func consume(_ accountState: AccountState) {
        for _ in 0...random.below(12) {
            let (decision, _, shouldPrefetch) = accountState.consume(
                limit: someLimit, keyID: KeyID(rawValue: "key"), from: Samples.address, now: steady, wall: wall)
            guard case .admitted = decision else { return }
            consumed[accountState.userID, default: 0] += 1
            if shouldPrefetch { react(to: machine.prefetch([(accountState, limit)])) }
        }
    }

    private mutating func releaseExpired() {
        for accountState in watch.takeEnded(at: steady) {
            let (unused, watchUntil) = accountState.takeExpired(at: steady)
            if !unused.isEmpty { seen.insert("expired") }
            _ = apply(.release(accountState.userID, unused))
            if let watchUntil { watch.watch(accountState, until: watchUntil) }
        }
    }

    /// Another node reclaims.
    private mutating func releaseReclaimed(_ userID: UserID) {
        for accountState in watch.respond(to: [ReclaimRequest(userID: userID, round: now)]) {
            release(accountState.withQuota { $0.withdraw() }, of: accountState.userID)
        }
    }

    private mutating func release(_ unused: [LocalQuota.Unused], of userID: UserID) {
        if !unused.isEmpty { _ = apply(.release(userID, unused)) }
    }

    private mutating func changeElsewhere(_ userID: UserID) {
        if random.below(2) == 0 {
            release(elsewhere.removeValue(forKey: userID) ?? [], of: userID)
        } else {
            let taken = apply(.reserve(userID, count: 1 + random.below(limit), limit: limit, life: .seconds(60)))
            elsewhere[userID, default: []].append(.init(count: taken.granted, minute: taken.minute))
        }
    }

    private mutating func apply(_ request: QuotaRequest) -> Reservation {
        windows[request.userID, default: RateLimitWindow()].apply(request, now: wall, sharedReservations: [])
    }

    // MARK: - What is under way

    private mutating func react(to actions: [Machine.Action]) {
        if !actions.isEmpty { work.append(.actions(actions)) }
    }

    private mutating func advance() {
        switch work.remove(at: random.below(work.count)) {
        case .actions(let actions):
            react(to: Array(actions.dropFirst()))
            perform(actions[0])
        case .fetch(let pendings):
            // What it needs is read from the local quota when it is sent, the response comes later.
            let steady = steady
            work.append(.fetched(responses(to: pendings.map { $0.request(at: steady) })))
        case .fetched(let result):
            isFetching = false
            react(to: machine.fetched(result))
        case .reclaim(let id):
            switch random.below(6) {
            case 0: react(to: machine.reclaimBegan(id, .failure(KeybearerError.unavailable())))
            case 1: react(to: machine.reclaimBegan(id, .success(.isOnlyNode)))
            default: react(to: machine.reclaimBegan(id, .success(.posted(steady))))
            }
        case .lookAgain(let id, let pendings):
            let steady = steady
            let result = responses(to: pendings.map { $0.requestNow(at: steady) })
            work.append(.looked(id, result.map { $0.compactMap { $0 } }))
        case .looked(let id, let result): react(to: machine.looked(id, result))
        }
    }

    /// The store's part: it may fail, before it has committed or after that.
    private mutating func responses(to requests: [QuotaRequest?]) -> Result<[QuotaResponse?], any Error> {
        let failure = random.below(16)
        let steady = steady
        if failure == 0 {
            for request in requests.compactMap({ $0 }) { lose(request.unused.reduce(0) { $0 + $1.count }, of: request) }
            return .failure(KeybearerError.unavailable())
        }
        let responses = requests.map { request in
            request.map { QuotaResponse(request: $0, requestedAt: steady, reservation: apply($0)) }
        }
        if failure > 1 { return .success(responses) }
        for response in responses.compactMap({ $0 }) { lose(response.reservation.granted, of: response.request) }
        return .failure(KeybearerError.unavailable())
    }

    private mutating func lose(_ count: Int, of request: QuotaRequest) { lost[request.userID, default: 0] += count }

    private mutating func perform(_ action: Machine.Action) {
        switch action {
        case .fetch(let pendings):
            check(!isFetching, "one batch at a time")
            check(
                Set(pendings.map { ObjectIdentifier($0.accountState) }).count == pendings.count,
                "an account once in a batch")
            isFetching = true
            work.append(.fetch(pendings))
            seen.insert("fetched")
        case .accept(let response, let pending):
            pending.accept(response, now: steady)
            if pending.purpose == .prefetch, response.reservation.granted > 0 { seen.insert("prefetched") }
        case .watch(let accountState, let end):
            if accountState.beginWatching() { watch.watch(accountState, until: end) }
        case .proceed(let done): react(to: machine.proceed(done))
        case .resume(let waiters): resume(waiters)
        case .fail(let waiters, _):
            seen.insert("failed")
            resume(waiters)
        case .reclaim(let id, let userIDs):
            for userID in userIDs { check(reclaiming.insert(userID).inserted, "one reclaim for an account") }
            work.append(.reclaim(id))
        case .lookAgain(let id, let pendings):
            seen.insert("looked again")
            work.append(.lookAgain(id, pendings))
        }
        // Whether it has ended, only the machine can tell.
        reclaiming = reclaiming.filter { machine.isReclaiming($0) }
    }

    private mutating func resume(_ waiters: [Int]) {
        for waiter in waiters {
            check(waiting.remove(waiter) != nil, "a waiter is resumed once")
            guard waiter == stopper else { continue }
            check(
                !work.contains { if case .actions = $0 { false } else { true } },
                "a stop waits for what is under way")
            seen.insert("stopped")
        }
    }

    private mutating func check(_ isTrue: Bool, _ rule: String) { if !isTrue { violations.append(rule) } }

    // MARK: - How it ends

    /// All that is under way comes to its end. What was granted is then consumed, released or held, and what is held is
    /// watched.
    private mutating func finish() {
        if stopper == nil { requestStop() }
        var mostSteps = 100_000
        while !work.isEmpty, mostSteps > 0 {
            now += 1
            mostSteps -= 1
            advance()
        }
        check(waiting.isEmpty, "every waiter is resumed")
        check(machine.request(.reserve, for: someAccount, limit: limit, waiter: 0).count == 1, "a stop is for ever")
        for accountState in watch.takeAll() {
            release(accountState.withQuota { $0.withdraw() }, of: accountState.userID)
        }
        for (userID, unused) in elsewhere { release(unused, of: userID) }
        for accountState in accountStates {
            let userID = accountState.userID
            let held = accountState.withQuota { $0.withdraw() }
            check(held.isEmpty, "what is held is watched")
            let charged = windows[userID]?.charged ?? 0
            let counted = (consumed[userID] ?? 0) + (lost[userID] ?? 0)
            check(charged == counted, "what is charged was consumed or lost: \(charged), \(counted)")
            check((consumed[userID] ?? 0) <= limit, "no more than the limit")
        }
    }
}
