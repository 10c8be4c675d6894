import TestSupport
import Testing

@testable import Keybearer

@Suite("Failures are kept for the subject that is guessed at, whatever else fails")
struct FailureTableTests {
    private let hour: Duration = .seconds(3_600)

    /// The same, with a search through all of them.
    private struct Model {
        let capacity: Int
        var lines: [[(subject: Int, failures: Int, at: Int64)]] = [[], []]

        func failures(of subject: Int, at now: Int64) -> Int {
            lines.joined().first { $0.subject == subject && now - $0.at < 3_600 }?.failures ?? 0
        }

        mutating func forget(_ subject: Int) { for half in 0...1 { lines[half].removeAll { $0.subject == subject } } }

        static func half(_ failures: Int) -> Int { failures < 5 ? 0 : 1 }

        mutating func takeBack(_ subject: Int) {
            guard let held = lines.joined().first(where: { $0.subject == subject }) else { return }
            let half = Self.half(held.failures)
            if held.failures == 1 {
                forget(subject)
            } else if Self.half(held.failures - 1) != half {
                put(subject, failures: held.failures - 1, at: held.at)
            } else if let place = lines[half].firstIndex(where: { $0.subject == subject }) {
                lines[half][place].failures -= 1
            }
        }

        mutating func put(_ subject: Int, failures: Int, at: Int64) {
            forget(subject)
            let half = Self.half(failures)
            if lines[half].count >= capacity / 2 { lines[half].removeFirst() }
            lines[half].append((subject, failures, at))
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
            let time = SteadyTime(nanoseconds: now * 1_000_000_000)
            let subject = numbers.below(24)
            switch numbers.below(12) {
            case 0:
                table.forget(subject)
                model.forget(subject)
            case 1:
                table.takeBack(subject)
                model.takeBack(subject)
            default:
                table.begin(subject, at: time)
                model.put(subject, failures: model.failures(of: subject, at: now) + 1, at: now)
            }
            #expect(table.count == model.lines[0].count + model.lines[1].count)
            for subject in 0..<24 {
                let failures = table.record(of: subject, at: time)?.failures ?? 0
                #expect(failures == model.failures(of: subject, at: now), "seed \(seed)")
            }
        }
    }

    @Test("A flood of subjects that fail less often never makes it forget one", arguments: 1...4)
    func flood(failuresEach: Int) {
        var table = FailureTable<Int>(capacity: 1_000, memory: hour)
        let now = SteadyTime(nanoseconds: 0)
        for _ in 0..<5 { table.begin(-1, at: now) }
        for subject in 0..<3_000 { for _ in 0..<failuresEach { table.begin(subject, at: now) } }
        #expect(table.record(of: -1, at: now)?.failures == 5)
        #expect(table.count <= 1_000)
    }

    @Test("What fails again before half of the room has failed is never forgotten, however full it is")
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
    func throttle() throws {
        let throttle = SignInThrottle(clocks: TestClock().clocks)
        let email = EmailAddress(normalised: "ada@example.com")
        for attempt in 0..<5 { try throttle.begin(account: email, address: IPAddress(v4: UInt32(attempt))) }
        for attempt in 0..<60_000 {
            try throttle.begin(
                account: EmailAddress(normalised: "\(attempt)@example.com"),
                address: IPAddress(high: 0x2001_0db8_0000_0000 + UInt64(attempt), low: 1))
        }
        #expect(throws: KeybearerError.self) { try throttle.begin(account: email, address: IPAddress(v4: 99)) }
    }
}
