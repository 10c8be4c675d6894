import Testing

@testable import Keybearer

@Suite("Waiting for the store")
struct StoreWaitTests {
    @Test("An answer and an error come through as they are")
    func comesThrough() async throws {
        #expect(try await StoreWait.atMost(.seconds(60)) { 7 } == 7)
        let error = await #expect(throws: KeybearerError.self) {
            try await StoreWait.atMost(.seconds(60)) { throw KeybearerError(.conflict, "taken") }
        }
        #expect(error?.code == .conflict)
    }

    @Test("Work that does not end is not waited for, and is not cut off")
    func givesUp() async throws {
        let (isOver, over) = AsyncStream<Bool>.makeStream()
        let (release, letGo) = AsyncStream<Void>.makeStream()
        let error = await #expect(throws: KeybearerError.self) {
            try await StoreWait.atMost(.milliseconds(10)) {
                for await _ in release { break }
                over.yield(Task.isCancelled)
            }
        }
        #expect(error?.code == .unavailable)
        letGo.yield()
        var iterator = isOver.makeAsyncIterator()
        #expect(await iterator.next() == false)
    }
}
