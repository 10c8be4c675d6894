import Keybearer
import KeybearerSQL
import TestSupport
import Testing

@testable import KeybearerPostgres

/// The ``PoolerCheck``, with a real PgBouncer between a node and its database.
@Suite struct PoolerCheckTests {
    @Test(arguments: ["transaction", "statement"]) func sessionsThatDoNotLastAreRefused(_ mode: String) throws {
        let database = try PostgresDatabase()
        // With the schema made before: what is refused is the pooler.
        try database.open().close()
        let pooler = try PgBouncer(before: database, mode: mode)
        for _ in 0..<3 {
            let error = #expect(throws: KeybearerError.self) { try PostgresStore.openStore(pooler.address).close() }
            #expect(error?.code == .unavailable)
            #expect(error?.operatorMessage.contains("pool_mode = session") == true, "\(String(describing: error))")
            #expect(error?.operatorMessage.contains("in transaction or statement mode") == true)
            #expect(throws: KeybearerError.self) { try PostgresStore.pooler(of: pooler.address) }
        }
    }

    @Test func sessionModePasses() async throws {
        let database = try PostgresDatabase()
        #expect(try PostgresStore.pooler(of: database.address) == .direct)
        let pooler = try PgBouncer(before: database, mode: "session")
        let store = try PostgresStore.openStore(pooler.address)
        #expect(try PostgresStore.pooler(of: pooler.address) == .sessionPooler)
        let samples = Samples()
        let account = try await store.addAccount(samples)
        #expect(try await store.account(id: account.user.id) == account)
        try store.close()
    }

    @Test func aPoolOfOneSessionIsNamedAsSuch() throws {
        let database = try PostgresDatabase()
        let pooler = try PgBouncer(before: database, mode: "session", settings: ["default_pool_size = 1"])
        let error = #expect(throws: KeybearerError.self) { try PostgresStore.pooler(of: pooler.address) }
        #expect(error?.storeFailure?.kind == .pooler)
        #expect(error?.storeFailure?.advice.contains("pool size of at least 2") == true, "\(String(describing: error))")
    }

    @Test func whatElseFailsIsNotBlamedOnItsMode() throws {
        let database = try PostgresDatabase()
        // The check's second connection is one too many.
        let pooler = try PgBouncer(before: database, mode: "session", settings: ["max_client_conn = 1"])
        let error = #expect(throws: KeybearerError.self) { try PostgresStore.pooler(of: pooler.address) }
        #expect(error?.code == .unavailable)
        #expect(error?.storeFailure?.kind != .pooler, "\(String(describing: error))")
    }
}
