import GRDB
import Keybearer
import KeybearerSQL
import TestSupport
import Testing

@testable import KeybearerSQLite

/// The ``SQLiteInspection`` finds ``DataProblems``.
@Suite struct SQLiteInspectionTests {
    private let directory: TemporaryDirectory
    private let path: String

    init() throws {
        directory = try TemporaryDirectory()
        path = directory.file("keybearer.db")
    }

    @Test func problemsAreFound() async throws {
        let store = try SQLiteStore.openStore(path: path, role: .server)
        _ = try await store.addAccount(Samples())
        var configuration = Configuration()
        configuration.foreignKeysEnabled = false
        let raw = try DatabaseQueue(path: path, configuration: configuration)
        try await raw.write { db in try db.execute(sql: "DELETE FROM api_keys; DELETE FROM memberships") }
        let problems = try store.sqlite.integrityProblems()
        #expect(problems.contains("1 accounts have no key."))
        #expect(problems.contains("1 workspaces have no Owner."))
        #expect(problems.contains { $0.contains("users refers to one of api_keys") })
        try store.close()
    }
}
