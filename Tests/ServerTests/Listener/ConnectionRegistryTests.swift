import Logging
import Synchronization
import TestSupport
import Testing

@testable import Keybearer
@testable import KeybearerServer

/// The ``ConnectionRegistry``: how many connections there may be, and which gives way.
@Suite struct ConnectionRegistryTests {
    private let clock = TestClock()
    private let log = LogRecorder()

    private func registry(all: Int, perAddress: Int) -> ConnectionRegistry {
        let log = log
        return ConnectionRegistry(
            name: "public", bounds: .init(all: all, perAddress: perAddress), clocks: clock.clocks,
            logger: Logger(label: "test") { _ in log })
    }

    private func peer(_ address: String, isExempt: Bool = false) -> ConnectionRegistry.Peer {
        .init(network: IPAddress(address)?.throttlingNetwork, isExempt: isExempt)
    }

    @Test("At the bound the oldest without a whole request gives way; who has sent one stays")
    func oldestGivesWay() throws {
        let registry = registry(all: 4, perAddress: 100)
        let ended = Ended()
        let ids = try (0..<4).map { number in
            try #require(registry.admit(peer("192.0.2.\(number)")) { ended.record(number) })
        }
        registry.finished(ids[0])
        #expect(registry.admit(peer("192.0.2.9")) { ended.record(9) } != nil)
        #expect(ended.numbers == [1])
        #expect(registry.admit(peer("192.0.2.9")) { ended.record(10) } != nil)
        #expect(ended.numbers == [1, 2])
        #expect(registry.count == 6, "those that gave way are counted until they are closed")
        for number in [1, 2] { registry.remove(ids[number]) }
        #expect(registry.count == 4)
        #expect(log.lines.filter { $0.text.contains("at their bound") }.count == 1, "one line a minute")
        clock.advance(by: .seconds(61))
        #expect(registry.admit(peer("192.0.2.9")) { ended.record(11) } != nil)
        #expect(log.lines.filter { $0.text.contains("at their bound") }.count == 2)
    }

    @Test("Where everybody has sent a whole request, a new one is refused until somebody leaves")
    func full() throws {
        let registry = registry(all: 2, perAddress: 100)
        let ids = try (0..<2).map { _ in try #require(registry.admit(peer("192.0.2.1")) {}) }
        for id in ids { registry.finished(id) }
        #expect(registry.admit(peer("192.0.2.2")) {} == nil)
        registry.remove(ids[0])
        registry.remove(ids[0])
        #expect(registry.admit(peer("192.0.2.2")) {} != nil)
        #expect(registry.count == 2)
    }

    @Test("Where everybody has sent a whole request, the one that has been idle for longest gives way")
    func longestIdle() throws {
        let registry = registry(all: 4, perAddress: 100)
        let ended = Ended()
        let marks = (0..<4).map { _ in ConnectionRegistry.Idleness() }
        for number in 0..<4 {
            let id = registry.admit(peer("192.0.2.1"), idleness: marks[number]) { ended.record(number) }
            registry.finished(try #require(id))
        }
        for (number, ticks) in [(0, 2), (1, 5), (2, 4), (3, 9)] {
            for _ in 0..<ticks { marks[number].tick(isIdle: true) }
        }
        marks[3].tick(isIdle: false)
        for _ in 0..<3 { registry.finished(try #require(registry.admit(peer("192.0.2.2")) { ended.record(9) })) }
        #expect(ended.numbers == [1, 2, 0])
        #expect(registry.admit(peer("192.0.2.2")) {} == nil, "the last one is being answered")
    }

    @Test("One address takes a part of the room at most; IPv6 counts by its /64, and gateways do not count")
    func perAddress() throws {
        let registry = registry(all: 100, perAddress: 2)
        let ended = Ended()
        for number in 0..<3 {
            #expect(registry.admit(peer("2001:db8::\(number)")) { ended.record(number) } != nil)
        }
        #expect(ended.numbers == [0], "the crowd's own oldest")
        #expect(registry.admit(peer("2001:db8:0:1::1")) { ended.record(10) } != nil)
        for number in 20..<30 {
            #expect(registry.admit(peer("192.0.2.1", isExempt: true)) { ended.record(number) } != nil)
        }
        #expect(ended.numbers == [0])
        for number in 30..<40 {
            #expect(registry.admit(.init(network: nil, isExempt: true)) { ended.record(number) } != nil)
        }
        #expect(ended.numbers == [0])
    }

    @Test("A flood has no more files than a few above the bound, however slowly the ones before it close")
    func flood() {
        let registry = registry(all: 10, perAddress: 10)
        let admitted = (0..<1_000).compactMap { _ in registry.admit(peer("192.0.2.1")) {} }
        #expect(admitted.count == 42 && registry.count == 42)
        for id in admitted.prefix(32) { registry.remove(id) }
        #expect(registry.count == 10)
        #expect(registry.admit(peer("192.0.2.1")) {} != nil)
    }

    @Test("Over a long time it keeps what is open, at its bound too")
    func long() throws {
        let registry = registry(all: 50, perAddress: 50)
        let random = RandomSource.seeded(3)
        var open: [ConnectionRegistry.ID] = []
        var most = 0
        for number in 0..<20_000 {
            if let id = registry.admit(peer("192.0.2.\(random.below(200))"), abort: {}) { open.append(id) }
            if random.below(2) == 0, let id = open.last { registry.finished(id) }
            // A thousand in which more come than go, and a thousand in which more go.
            let goes = random.below(3) >= ((number / 1_000).isMultiple(of: 2) ? 2 : 1)
            if goes, !open.isEmpty { registry.remove(open.remove(at: random.below(open.count))) }
            #expect(registry.count == open.count)
            most = max(most, open.count)
        }
        #expect((51...82).contains(most), "those that gave way are open, too, and they are 32 at most")
        registry.abortAll()
    }

    @Test("The files that a process may open are shared out, with some kept for itself")
    func files() {
        #expect(ConnectionRegistry.Bounds.within(files: 832, share: 0.75) == .init(all: 624, perAddress: 78))
        #expect(
            ConnectionRegistry.Bounds.within(files: 1 << 20, share: 0.75) == .init(all: 100_000, perAddress: 12_500))
        #expect(ConnectionRegistry.Bounds.within(files: 64, share: 0.25) == .init(all: 16, perAddress: 8))
    }

    private final class Ended: Sendable {
        private let state = Lock<[Int]>([])
        var numbers: [Int] { state.withLock { $0 } }
        func record(_ number: Int) { state.withLock { $0.append(number) } }
    }
}
