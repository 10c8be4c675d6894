import GRDB
import Keybearer
import KeybearerSQL
import TestSupport
import Testing

@testable import KeybearerSQLite

/// What the ``SQLiteSchema`` itself forbids, and a schema that is newer.
@Suite struct SQLiteSchemaTests {
    private let directory: TemporaryDirectory
    private let path: String

    init() throws {
        directory = try TemporaryDirectory()
        path = directory.file("keybearer.db")
    }

    @Test func theSchemaItselfForbidsAnAccountWithoutAKey() async throws {
        let store = try SQLiteStore.openStore(path: path, role: .server)
        let account = try await store.addAccount(Samples())
        let raw = try DatabaseQueue(path: path)
        for sql in ["DELETE FROM api_keys", "UPDATE api_keys SET user_id = 'usr_other'"] {
            let error = #expect(throws: DatabaseError.self) { try raw.write { db in try db.execute(sql: sql) } }
            #expect(error?.extendedResultCode == .SQLITE_CONSTRAINT_FOREIGNKEY)
        }
        #expect(try await store.account(id: account.user.id) == account)
        #expect(try store.sqlite.integrityProblems().isEmpty)
        try store.close()
    }

    @Test func aNewerSchemaIsRefused() throws {
        try SQLiteStore.openStore(path: path, role: .server).close()
        let raw = try DatabaseQueue(path: path)
        try raw.write { db in try db.execute(sql: "INSERT INTO grdb_migrations VALUES ('999 from the future')") }
        #expect(try SQLiteStore.schemaState(path: path) == .newer)
        let error = #expect(throws: KeybearerError.self) { try SQLiteStore.openStore(path: path, role: .server) }
        #expect(error?.code == .unavailable)
        #expect(error?.storeFailure?.kind == .newerSchema)
    }
}
