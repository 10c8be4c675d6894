import KeybearerPostgres
import KeybearerSQL
import Logging
import TestSupport
import Testing

@testable import Keybearer

/// A ``WriteBatch``: as many transactions as its writes take, and all results in order.
@Suite struct WriteBatchTests {
    private func batch(_ store: any Store, within span: Duration = WriteBatch.span) -> WriteBatch {
        let propagation = CommandPropagation(store: store, clocks: .system, longestLease: .seconds(1))
        return WriteBatch(
            store: store, propagation: propagation, clocks: .system, authority: .commandLine, within: span)
    }

    @Test(arguments: storesUnderTest)
    func aTransactionThatTakesLongEndsBehindAWrite(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            var users: [UserID] = []
            for place in 0..<12 { users.append(try await store.addAccount(samples, after: Int64(place)).user.id) }
            let writes = users.map { samples.rename($0, "Eve") }
            let (results, count) = try await store.performSome(writes, by: .commandLine, within: .zero)
            let first = await applied(results).value
            #expect(count == 1 && first.count == 1)
            #expect(try await store.account(id: users[1])?.user.name == "Ada", "it was not begun")
            let batch = batch(store, within: .zero)
            await batch.perform([samples.rename(.random(from: samples.random), "Eve")] + writes)
            let outcomes = await batch.finish()
            #expect(outcomes.map(\.code) == [.notFound] + users.map { _ in nil })
            for user in users { #expect(try await store.account(id: user)?.user.name == "Eve") }
        }
    }

    @Test func aRowThatAnotherTransactionHoldsFailsAlone() async throws {
        let database = try PostgresDatabase()
        let store = try database.open(lease: .milliseconds(500))
        let samples = Samples()
        var users: [UserID] = []
        for place in 0..<10 { users.append(try await store.addAccount(samples, after: Int64(place)).user.id) }
        let held = try database.hold("SELECT 1 FROM users WHERE id = '\(users[6])' FOR UPDATE")
        let batch = batch(store)
        await batch.perform(users.map { samples.rename($0, "Eve") })
        let outcomes = await batch.finish()
        held.release()
        #expect(outcomes.map(\.code) == (0..<10).map { $0 == 6 ? .unavailable : nil })
        let again = self.batch(store)
        await again.perform([samples.rename(users[6], "Eve")])
        #expect(await again.finish().map(\.code) == [nil])
        try store.close()
    }
}
