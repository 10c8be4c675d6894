import Keybearer
import KeybearerSQL
import KeybearerPostgres
import TestSupport
import Testing

extension PostgresDatabase {
    /// Opens it as a process of its own would, with the clock that the tests hold.
    func open(
        clock: PostgresStore.Clock = .caller, lease: Duration = .seconds(2)
    ) throws -> SQLStore {
        var options = PostgresStore.Options()
        options.clock = clock
        options.connections = 4
        options.lease = lease
        return try PostgresStore.openStore(address, options: options)
    }
}

/// A ``PostgresStore`` while somebody else holds a lock: a ``PostgresTransaction`` ends with nothing changed.
@Suite struct PostgresStoreTests {
    private let samples = Samples()

    @Test func aLockThatIsHeldElsewhereEndsAChangeWithNothingChanged() async throws {
        let database = try PostgresDatabase()
        let store = try database.open(lease: .milliseconds(500))
        let account = try await store.addAccount(samples)
        let holder = try database.hold("SELECT number FROM fence_counter FOR UPDATE")
        await expect(.unavailable) {
            _ = try await store.replaceKey(samples.replacement(of: account), audit: samples.event(.keyRegenerated))
        }
        holder.release()
        #expect(try await store.account(id: account.user.id)?.key == account.key)
        #expect(try await store.newestPosition(samples).number == 0)
        try store.close()
    }
}
