import Keybearer
import TestSupport
import Testing

@testable import KeybearerOutbound

/// A ``FetchedDocument``: kept for an hour, renewed at most once a minute, and never a failure kept.
@Suite struct FetchedDocumentTests {
    private let clock = TestClock()
    private let fetches = Counter()
    private let end = ContinuousClock.now.advanced(by: .seconds(60))

    private func document() -> FetchedDocument<Int> {
        let fetches = fetches
        return FetchedDocument(steady: clock.clocks.steady) { _ in
            fetches.increment()
            return fetches.value
        }
    }

    @Test("It is fetched again after an hour")
    func life() async throws {
        let document = document()
        #expect(try await document.value(until: end) == 1)
        clock.advance(by: .seconds(3_599))
        #expect(try await document.value(until: end) == 1)
        clock.advance(by: .seconds(1))
        #expect(try await document.value(until: end) == 2)
    }

    @Test("Who misses something in it has it fetched again, once a minute")
    func renewed() async throws {
        let document = document()
        #expect(try await document.value(until: end) == 1)
        #expect(try await document.renewed(until: end) == 2)
        clock.advance(by: .seconds(59))
        #expect(try await document.renewed(until: end) == nil)
        #expect(try await document.value(until: end) == 2)
        clock.advance(by: .seconds(1))
        #expect(try await document.renewed(until: end) == 3)
    }

    @Test("Many who ask at the same moment wait for one fetch")
    func shared() async throws {
        let document = document()
        let end = end
        let values = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<50 { group.addTask { try await document.value(until: end) } }
            return try await group.reduce(into: Set<Int>()) { $0.insert($1) }
        }
        #expect(values == [1] && fetches.value == 1)
    }

    @Test("A failure is not kept")
    func failures() async throws {
        let fetches = fetches
        let document = FetchedDocument(steady: clock.clocks.steady) { _ in
            fetches.increment()
            if fetches.value == 1 { throw IdentityProviderFailure.unreachable("down") }
            return fetches.value
        }
        await #expect(throws: IdentityProviderFailure.self) { try await document.value(until: end) }
        #expect(try await document.value(until: end) == 2)
    }
}
