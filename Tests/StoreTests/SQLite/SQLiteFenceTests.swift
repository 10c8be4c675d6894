import GRDB
import Keybearer
import KeybearerSQL
import TestSupport
import Testing

@testable import KeybearerSQLite

/// The ``ChangeLog`` of the ``SQLiteFence`` is cut from behind.
@Suite struct SQLiteFenceTests {
    private let directory: TemporaryDirectory
    private let path: String

    init() throws {
        directory = try TemporaryDirectory()
        path = directory.file("keybearer.db")
    }

    @Test func oldChangesGoButTheLastTenThousandStay() async throws {
        try SQLiteStore.openStore(path: path, role: .commandLine).close()
        let samples = Samples()
        // Before a server watches the file: this is another history.
        let raw = try DatabaseQueue(path: path)
        try await raw.write { db in
            try db.execute(
                sql: """
                    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10999)
                    INSERT INTO changes SELECT i, 'm' || i, 'everything', NULL, 0 FROM n
                    """)
        }
        let store = try SQLiteStore.openStore(path: path, role: .server)
        let origin = ChangeLogPosition(number: 0, nonce: "")
        #expect(try await store.changes(after: origin, limit: 1)?.first?.position.nonce == "m1")
        let newest = try await store.recordChange(of: .everything, audit: samples.event(.planChanged))
        #expect(newest.number == 11_000)
        // A node from before the first change has missed what is gone: it must clear its cache.
        #expect(try await store.changes(after: origin, limit: 1) == nil)
        #expect(try await store.changes(after: ChangeLogPosition(number: 1_000, nonce: "m1000"), limit: 1) == nil)
        let kept = try await store.changes(after: ChangeLogPosition(number: 1_001, nonce: "m1001"), limit: 20_000)
        #expect(kept?.count == 9_999)
        #expect(kept?.last?.position == newest)
        try store.close()
    }
}
