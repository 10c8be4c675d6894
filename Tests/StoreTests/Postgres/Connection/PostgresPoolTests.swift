import Keybearer
import KeybearerSQL
import TestSupport
import Testing

@testable import KeybearerPostgres

/// The ``PostgresPool`` after a ``PostgresRoundTrip`` failed: cut connections are replaced, attempts back off.
@Suite struct PostgresPoolTests {
    private let samples = Samples()

    @Test func whoseConnectionsAreCutGoesOnWithNewOnes() async throws {
        let database = try PostgresDatabase()
        let store = try database.open()
        let user = try await store.addAccount(samples).user.id
        for _ in 0..<3 {
            try database.endConnections()
            #expect(try await store.account(id: user) != nil)
            try database.endConnections()
            _ = try await store.setStatus(.active, of: user, audit: samples.event(.userEnabled))
        }
        #expect(try await store.newestPosition(samples).number == 3)
        try store.close()
    }

    /// A refusal that is ours is remembered between attempts, as the server's are.
    @Test func attemptsBackOffAfterAnyFailure() async throws {
        let server = try FakePostgres(
            .sessionThatFails(
                ["server_version": "15.4", "in_hot_standby": "off", "default_transaction_read_only": "off"],
                state: "42P05", message: "prepared statement \"k1\" already exists"))
        let pool = PostgresPool(
            to: "postgres://ada@127.0.0.1:\(server.port)/kb?sslmode=disable&gssencmode=disable", name: "test", size: 1,
            patience: .init(roundTrip: .seconds(5), lock: .seconds(1)), epoch: .init())
        var isRemembered = false
        for _ in 0..<200 where !isRemembered {
            let before = server.connectionCount
            let error = await #expect(throws: KeybearerError.self) { try await pool.run(.read) { _ in } }
            isRemembered = server.connectionCount == before && error?.storeFailure?.kind == .pooler
        }
        #expect(isRemembered)
        pool.close()
    }
}
