import TestSupport
import Testing

@testable import Keybearer

/// A ``SingleFlightRead``: whoever waits for it gets its one outcome.
@Suite struct SingleFlightReadTests {
    private struct Broken: Error {}

    private let read = SingleFlightRead(generation: 7)

    private func account() throws -> CachedAccount {
        let samples = Samples(seed: 33)
        let made = samples.newAccount()
        let text = Array("tdc_".utf8) + samples.random.base62(count: 38)
        let token = try #require(text.withUnsafeBufferPointer { PresentedToken($0) })
        return CachedAccount(
            account: Account(user: made.user, key: made.key, workspaces: []), token: token,
            accountState: AccountState(userID: made.user.id))
    }

    /// What two requests get that waited when the read ended with an outcome.
    private func outcomesOfTwo(_ outcome: SingleFlightRead.Outcome) async -> [SingleFlightRead.Outcome] {
        let read = read
        let (added, wasAdded) = AsyncStream<Void>.makeStream()
        return await withTaskGroup(of: SingleFlightRead.Outcome.self) { group in
            for _ in 0..<2 {
                group.addTask {
                    do {
                        let found = try await Timeout.atMost(.seconds(60)) {
                            (waiter: Timeout.Waiter<CachedAccount?>) in
                            read.add(waiter)
                            wasAdded.yield()
                        }
                        return .success(found)
                    } catch {
                        return .failure(error)
                    }
                }
            }
            var waiting = added.makeAsyncIterator()
            _ = await waiting.next()
            _ = await waiting.next()
            read.finish(outcome)
            return await group.reduce(into: []) { $0.append($1) }
        }
    }

    @Test("Two requests share one read: both get its account")
    func sharesAnAccount() async throws {
        let account = try account()
        let outcomes = await outcomesOfTwo(.success(account))
        #expect(outcomes.count == 2)
        for outcome in outcomes { #expect(try outcome.get() === account) }
    }

    @Test("A key that the store does not have is nil for all")
    func sharesNothingFound() async throws {
        let outcomes = await outcomesOfTwo(.success(nil))
        #expect(outcomes.count == 2)
        for outcome in outcomes { #expect(try outcome.get() === nil) }
    }

    @Test("A failure reaches all")
    func sharesAFailure() async {
        let outcomes = await outcomesOfTwo(.failure(Broken()))
        #expect(outcomes.count == 2)
        for outcome in outcomes { #expect(throws: Broken.self) { _ = try outcome.get() } }
    }

    @Test("A request that comes after the end gets the outcome immediately, and a second end changes nothing")
    func comesLate() async throws {
        let account = try account()
        read.finish(.success(account))
        read.finish(.failure(Broken()))
        let found = try await Timeout.atMost(.seconds(60)) { (waiter: Timeout.Waiter<CachedAccount?>) in
            read.add(waiter)
        }
        #expect(found === account)
    }
}
