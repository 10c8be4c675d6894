import Testing

@testable import Keybearer

/// A ``Timeout`` ends the wait for the store, and not what was begun.
@Suite struct TimeoutTests {
    @Test("A result and an error come through as they are")
    func comesThrough() async throws {
        let seven = try await Timeout.atMost(.seconds(60)) { (waiter: Timeout.Waiter<Int>) in
            Task { waiter.resume(with: .success(7)) }
        }
        #expect(seven == 7)
        let error = await #expect(throws: KeybearerError.self) {
            try await Timeout.atMost(.seconds(60)) { (waiter: Timeout.Waiter<Int>) in
                waiter.resume(with: .failure(KeybearerError(.conflict, "taken")))
            }
        }
        #expect(error?.code == .conflict)
    }

    @Test("Work that does not end is not waited for, and is not cut off", arguments: 0..<2)
    func givesUp(_: Int) async throws {
        let (isOver, over) = AsyncStream<Bool>.makeStream()
        let (release, letGo) = AsyncStream<Void>.makeStream()
        let error = await #expect(throws: KeybearerError.self) {
            try await Timeout.atMost(.milliseconds(10)) { (waiter: Timeout.Waiter<Void>) in
                Task {
                    for await _ in release { break }
                    over.yield(Task.isCancelled)
                    // Too late, which nobody minds.
                    waiter.resume(with: .success(()))
                }
            }
        }
        #expect(error?.code == .unavailable)
        letGo.yield()
        var iterator = isOver.makeAsyncIterator()
        #expect(await iterator.next() == false)
    }
}
