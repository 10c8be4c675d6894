import GRDB
import Keybearer
import KeybearerSQL
import KeybearerSQLite
import TestSupport
import Testing

/// ``AllStatements`` on both engines, and the parameters of an ``SQL`` by their numbers (``PostgresResult``).
@Suite struct AllStatementsTests {
    private static let all = AllStatements.all + AllStatements.locking

    @Test("No statement stands twice")
    func once() {
        let twice = Dictionary(grouping: Self.all, by: \.text).filter { $0.value.count > 1 }.keys.sorted()
        #expect(twice.isEmpty, "\(twice)")
        #expect(Self.all.count > 90)
    }

    @Test("SQLite prepares every statement")
    func onSQLite() throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("keybearer.db")
        try SQLiteStore.openStore(path: path, role: .commandLine).close()
        try DatabaseQueue(path: path).write { db in
            for sql in Self.all {
                #expect(throws: Never.self, "\(sql.text)") { try db.makeStatement(sql: sql.numbered) }
            }
        }
    }

    @Test("PostgreSQL prepares every statement")
    func onPostgres() throws {
        let database = try PostgresDatabase()
        try database.open().close()
        let clauses = ["FOR SHARE", "FOR NO KEY UPDATE", "FOR UPDATE"]
        let locking = AllStatements.locking.flatMap { sql in clauses.map { "\(sql.text) \($0)" } }
        let texts = AllStatements.all.map(\.text) + locking
        let script = texts.enumerated().map { "PREPARE s\($0.offset) AS \($0.element)" }
        // psql names the statement that fails.
        #expect(throws: Never.self) { try database.run(script.joined(separator: ";\n")) }
    }

    @Test("Parameters mean their numbers, whatever their order in the text", arguments: storesUnderTest)
    func parametersOutOfOrder(_ subject: StoreUnderTest) async throws {
        let open = try await subject.makeDatabase()
        let store = try #require(try await open() as? SQLStore)
        let casts = (4...9).map { "CAST($\($0) AS TEXT) AS c\($0)" }.joined(separator: ", ")
        let sql = SQL(
            """
            SELECT CAST($3 AS TEXT) AS third, CAST($1 AS TEXT) AS first, CAST($2 AS BIGINT) AS second,
                   CAST($1 AS TEXT) AS again, CAST($10 AS TEXT) AS tenth, \(casts)
            """)
        let values: [SQLValue] = [.text("one"), .number(2), .text("three")] + (4...10).map { .text("\($0)") }
        let found = try await store.engine.read { connection in
            try connection.rows(sql, values).map { row in
                ["first", "third", "again", "tenth", "c4", "c9"].map { row.text($0) ?? "none" }
                    + ["\(row.number("second") ?? 0)"]
            }
        }
        #expect(found == [["one", "three", "one", "10", "4", "9", "2"]])
        try store.close()
    }
}
