import Keybearer
import KeybearerPostgres
import KeybearerSQL
import TestSupport
import Testing

/// The ``PostgresMigrations`` of nodes that start at the same time.
@Suite struct PostgresMigrationsTests {
    @Test func nodesThatStartAtOnceMigrateOnce() async throws {
        let database = try PostgresDatabase()
        let stores = try await withThrowingTaskGroup(of: SQLStore.self) { group in
            for _ in 0..<6 { group.addTask { try database.open() } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        for store in stores { #expect(try await store.plans().count == 2) }
        for store in stores { try store.close() }
        #expect(try PostgresStore.schemaState(of: database.address) == .current)
    }
}
