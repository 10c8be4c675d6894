import Foundation
import GRDB
import Keybearer
import KeybearerPostgres
import KeybearerSQL
import TestSupport
import Testing

@testable import KeybearerSQLite

/// ``OlderNodes``: a database of version 0.1 is not brought up to date while a server of that version runs on it.
@Suite struct OlderNodesTests {
    private static let fixtures = Repository.url("Tests/Fixtures/0.1")
    private static let insert = """
        INSERT INTO nodes (id, label, acknowledged, renewals, lease_ms) VALUES ('node_old', 'old', 0, 1, 2000)
        """
    private static let renew = "UPDATE nodes SET renewals = renewals + 1 WHERE id = 'node_old'"

    /// Runs a body beside a thread that renews as a node of version 0.1 does.
    private func besideNode(_ renew: @escaping @Sendable () -> Void, _ body: () throws -> Void) rethrows {
        let node = Thread {
            while !Thread.current.isCancelled {
                renew()
                Thread.sleep(forTimeInterval: 0.1)
            }
        }
        node.start()
        defer { node.cancel() }
        try body()
    }

    private func expectRefusal(_ open: () throws -> Void) {
        let error = #expect(throws: KeybearerError.self) { try open() }
        #expect(error?.message.contains("a server of version 0.1 runs on this database; stop it first") == true)
    }

    @Test func aFileWithALivingNodeIsRefused() async throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("keybearer.db")
        try FileManager.default.copyItem(
            atPath: Self.fixtures.appendingPathComponent("keybearer.db").path, toPath: path)
        var configuration = Configuration()
        configuration.busyMode = .timeout(5)
        let old = try DatabasePool(path: path, configuration: configuration)
        try await old.write { try $0.execute(sql: Self.insert) }
        besideNode({ try? old.write { try $0.execute(sql: Self.renew) } }) {
            expectRefusal { try SQLiteStore.openStore(path: path, role: .commandLine).close() }
        }
        #expect(try SQLiteStore.schemaState(path: path) == .older)
        // It died: its row stays, and keeps nobody out.
        try SQLiteStore.openStore(path: path, role: .commandLine).close()
        #expect(try SQLiteStore.schemaState(path: path) == .current)
        try old.close()
    }

    @Test func aNodeThatCameBetweenTheWatchAndTheStepIsRefused() async throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("keybearer.db")
        try FileManager.default.copyItem(
            atPath: Self.fixtures.appendingPathComponent("keybearer.db").path, toPath: path)
        let file = try DatabaseQueue(path: path)
        try await file.write { try $0.execute(sql: Self.insert) }
        let expired = try await file.read { try OlderNodes.nodes(SQLiteConnection(db: $0)) }
        // It renewed since; then another one has come.
        try await file.write { try $0.execute(sql: Self.renew) }
        expectRefusal { try SQLiteSchema.bringUpToDate(file, .init(expiredNodes: expired)) }
        expectRefusal { try SQLiteSchema.bringUpToDate(file, .init(expiredNodes: [])) }
        #expect(try await file.read { try SQLiteSchema.state($0) } == .older)
        let found = try await file.read { try OlderNodes.nodes(SQLiteConnection(db: $0)) }
        try SQLiteSchema.bringUpToDate(file, .init(expiredNodes: found))
        #expect(try await file.read { try SQLiteSchema.state($0) } == .current)
        try file.close()
    }

    @Test func aServerWithALivingNodeIsRefused() async throws {
        let database = try PostgresDatabase()
        let file = Self.fixtures.appendingPathComponent("postgres.sql").path
        let loaded = try CommandRunner.run(
            program: "psql", ["--no-psqlrc", "--quiet", "-v", "ON_ERROR_STOP=1", "-d", database.address, "-f", file])
        try #require(loaded.status == 0, "\(loaded.stderr)")
        try database.run(Self.insert)
        besideNode({ try? database.run(Self.renew) }) {
            expectRefusal { try database.open().close() }
        }
        #expect(try PostgresStore.schemaState(of: database.address) == .older)
        try database.open().close()
        #expect(try PostgresStore.schemaState(of: database.address) == .current)
    }
}
