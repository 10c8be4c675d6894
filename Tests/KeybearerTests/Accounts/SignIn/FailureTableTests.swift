import TestSupport
import Testing

@testable import Keybearer

/// The ``FailureTable``, beside one that searches through all of its records.
@Suite("Failures are kept for the subject that is guessed at, whatever else fails")
struct FailureTableTests {
    private let hour: Duration = .seconds(3_600)

    /// The same, with a search through all of them.
    private struct Model {
        struct Held {
            var subject: Int
            var failures = 0
            var at: Int64
            var open = 0
            var known: Int64?
        }

        let capacity: Int
        var lines: [[Held]] = [[], []]

        func held(_ subject: Int) -> Held? { lines.joined().first { $0.subject == subject } }

        func record(of subject: Int, at now: Int64) -> Held? {
            held(subject).flatMap { now - $0.at < 3_600 ? $0 : nil }
        }

        mutating func remove(_ subject: Int) { for half in 0...1 { lines[half].removeAll { $0.subject == subject } } }

        static func half(_ failures: Int) -> Int { failures < 5 ? 0 : 1 }

        mutating func begin(_ subject: Int, at now: Int64) {
            var held = record(of: subject, at: now) ?? Held(subject: subject, at: now)
            held.failures += 1
            held.open += 1
            held.at = now
            put(held)
        }

        mutating func fail(_ subject: Int, begun: Int64) {
            guard var held = held(subject) else { return }
            held.open = max(0, held.open - 1)
            held.known = max(held.known ?? begun, begun)
            replace(held)
        }

        mutating func takeBack(_ subject: Int) {
            guard var held = held(subject) else { return }
            let half = Self.half(held.failures)
            held.failures -= 1
            held.open = max(0, held.open - 1)
            if held.open == 0, let known = held.known { held.at = known }
            if held.failures == 0 {
                remove(subject)
            } else if Self.half(held.failures) != half {
                put(held)
            } else {
                replace(held)
            }
        }

        private mutating func replace(_ held: Held) {
            let half = Self.half(held.failures)
            if let place = lines[half].firstIndex(where: { $0.subject == held.subject }) { lines[half][place] = held }
        }

        private mutating func put(_ held: Held) {
            remove(held.subject)
            let half = Self.half(held.failures)
            if lines[half].count >= capacity / 2 { lines[half].removeFirst() }
            lines[half].append(held)
        }
    }

    @Test("It does what a search through all of them does", arguments: 1...6 as ClosedRange<UInt64>)
    func likeTheModel(seed: UInt64) {
        let numbers = RandomSource.seeded(seed)
        var table = FailureTable<Int>(capacity: 16, memory: hour)
        var model = Model(capacity: 16)
        var now: Int64 = 0
        for _ in 0..<1_000 {
            now += Int64(numbers.below(40) == 0 ? numbers.below(5_000) : numbers.below(20))
            let subject = numbers.below(24)
            switch numbers.below(14) {
            case 0:
                table.remove(subject)
                model.remove(subject)
            case 1, 2:
                table.takeBack(subject)
                model.takeBack(subject)
            case 3, 4:
                let begun = max(0, now - Int64(numbers.below(30)))
                table.fail(subject, begun: Self.time(begun))
                model.fail(subject, begun: begun)
            default:
                table.begin(subject, at: Self.time(now))
                model.begin(subject, at: now)
            }
            #expect(table.count == model.lines[0].count + model.lines[1].count)
            for subject in 0..<24 {
                let (found, held) = (table.record(of: subject, at: Self.time(now)), model.record(of: subject, at: now))
                #expect(found?.failures == held?.failures, "seed \(seed)")
                #expect(found?.lastFailureAt == held.map { Self.time($0.at) }, "seed \(seed)")
                #expect(found?.open == held?.open, "seed \(seed)")
            }
        }
    }

    private static func time(_ seconds: Int64) -> SteadyTime { SteadyTime(nanoseconds: seconds * 1_000_000_000) }

    @Test("Nothing moves more records from place to place when it is full", arguments: [1_000, 50_000])
    func relinks(capacity: Int) {
        let numbers = RandomSource.seeded(3)
        var table = FailureTable<Int>(capacity: capacity, memory: hour)
        var most = 0
        for turn in 0..<(3 * capacity) {
            let before = table.relinks
            let subject = numbers.below(4 * capacity)
            switch numbers.below(8) {
            case 0: table.takeBack(subject)
            case 1: table.remove(subject)
            case 2: table.fail(subject, begun: Self.time(0))
            default: table.begin(turn % 4 == 0 ? subject % 1_000 : subject, at: Self.time(Int64(turn / capacity)))
            }
            most = max(most, table.relinks - before)
        }
        #expect(table.count >= capacity / 2)
        #expect(most <= 3, "\(most) records for one operation")
    }

    @Test("A flood of subjects that fail less often never makes it evict one", arguments: 1...4)
    func flood(failuresEach: Int) {
        var table = FailureTable<Int>(capacity: 1_000, memory: hour)
        let now = SteadyTime(nanoseconds: 0)
        for _ in 0..<5 { table.begin(-1, at: now) }
        for subject in 0..<3_000 { for _ in 0..<failuresEach { table.begin(subject, at: now) } }
        #expect(table.record(of: -1, at: now)?.failures == 5)
        #expect(table.count <= 1_000)
    }

    @Test("What fails again before half of the room has failed is never evicted, however full it is")
    func between() {
        var table = FailureTable<Int>(capacity: 1_000, memory: hour)
        let now = SteadyTime(nanoseconds: 0)
        // Filled with what failed twice, often, and more often.
        for subject in 0..<5_000 { for _ in 0..<(2 + subject % 10) { table.begin(subject, at: now) } }
        for round in 1...20 {
            table.begin(-1, at: now)
            for other in 0..<499 { table.begin(10_000 + round * 1_000 + other, at: now) }
            #expect(table.record(of: -1, at: now)?.failures == round)
        }
    }

    @Test("Guesses at one account stay slowed down while 60,000 others fail")
    func throttle() async throws {
        let throttle = SignInThrottle(clocks: TestClock().clocks)
        let email = EmailAddress(normalised: "ada@example.com")
        for attempt in 0..<5 { try await throttle.guess(email, from: IPAddress(v4: UInt32(attempt))) }
        for attempt in 0..<60_000 {
            try await throttle.guess(
                EmailAddress(normalised: "\(attempt)@example.com"),
                from: IPAddress(high: 0x2001_0db8_0000_0000 + UInt64(attempt), low: 1))
        }
        await #expect(throws: KeybearerError.self) { try await throttle.guess(email, from: IPAddress(v4: 99)) }
    }
}
