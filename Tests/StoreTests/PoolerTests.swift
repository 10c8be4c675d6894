import Keybearer
import KeybearerPostgres
import KeybearerSQL
import TestSupport
import Testing

/// A real PgBouncer between a node and its database.
@Suite struct PoolerTests {
    @Test(arguments: ["transaction", "statement"]) func sessionsThatDoNotLastAreRefused(_ mode: String) throws {
        let database = try PostgresDatabase()
        // With the schema made before: what is refused is the pooler.
        try database.open().close()
        let pooler = try PgBouncer(before: database, mode: mode)
        for _ in 0..<3 {
            let error = #expect(throws: KeybearerError.self) { try PostgresStore.open(pooler.address).close() }
            #expect(error?.code == .unavailable)
            #expect(error?.operatorMessage.contains("pool_mode = session") == true, "\(String(describing: error))")
            #expect(throws: KeybearerError.self) { try PostgresStore.pooler(of: pooler.address) }
        }
    }

    @Test func sessionModePasses() async throws {
        let database = try PostgresDatabase()
        #expect(try PostgresStore.pooler(of: database.address) == .direct)
        let pooler = try PgBouncer(before: database, mode: "session")
        let store = try PostgresStore.open(pooler.address)
        #expect(try PostgresStore.pooler(of: pooler.address) == .sessionPooler)
        let samples = Samples()
        let account = try await store.addAccount(samples)
        #expect(try await store.account(id: account.user.id) == account)
        try store.close()
    }
}
