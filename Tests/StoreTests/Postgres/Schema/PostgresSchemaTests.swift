import Keybearer
import KeybearerPostgres
import KeybearerSQL
import TestSupport
import Testing

/// The state of a ``PostgresSchema`` that is newer than the node.
@Suite struct PostgresSchemaTests {
    @Test func aNodeWorksBesideANewerSchemaThatSaysItMay() async throws {
        let database = try PostgresDatabase()
        #expect(try PostgresStore.schemaState(of: database.address) == .empty)
        try database.open().close()
        try database.run("INSERT INTO schema_migrations (identifier, needs) VALUES ('99 adds a column', 1)")
        #expect(try PostgresStore.schemaState(of: database.address) == .newerButCompatible)
        try database.open().close()
        try database.run("INSERT INTO schema_migrations (identifier, needs) VALUES ('100 breaks', 100)")
        #expect(try PostgresStore.schemaState(of: database.address) == .newer)
        let error = #expect(throws: KeybearerError.self) { try database.open() }
        #expect(error?.code == .unavailable)
    }
}
