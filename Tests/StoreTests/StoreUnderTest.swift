import Foundation
import Keybearer
import KeybearerPostgres
import KeybearerSQLite
import TestSupport
import Testing

/// A kind of store that must keep the promises of ``Store``: every conformance test runs over every one.
///
/// A store that cannot be reached is a failure of its tests, never a reason to skip them.
struct StoreUnderTest: Sendable, CustomTestStringConvertible {
    let testDescription: String
    /// Makes an empty database and answers how to open it, as often as wanted: each time as another process would.
    let makeDatabase: @Sendable () async throws -> @Sendable () async throws -> any Store
}

/// All stores. A new one is one element more.
let storesUnderTest: [StoreUnderTest] = [.sqlite, .postgres]

extension StoreUnderTest {
    static let sqlite = StoreUnderTest(testDescription: "SQLite") {
        let directory = try TemporaryDirectory()
        return { try SQLiteStore.open(path: directory.file("keybearer.db"), role: .server) }
    }

    static let postgres = StoreUnderTest(testDescription: "PostgreSQL") {
        let database = try PostgresDatabase()
        return { try database.open() }
    }

    /// Runs a test on a new, empty store.
    func run(_ test: (any Store, Samples) async throws -> Void) async throws {
        try await runTwice { store, _, samples in try await test(store, samples) }
    }

    /// Runs a test on a new, empty database that two processes have open.
    func runTwice(_ test: (_ first: any Store, _ second: any Store, Samples) async throws -> Void) async throws {
        let open = try await makeDatabase()
        let first = try await open()
        let second = try await open()
        try await test(first, second, Samples())
        try second.close()
        try first.close()
    }
}

/// Expects a ``KeybearerError`` with a code, and no driver's error.
func expect(
    _ code: ErrorCode, sourceLocation: SourceLocation = #_sourceLocation, _ body: () async throws -> Void
) async {
    do {
        try await body()
        Issue.record("nothing was thrown", sourceLocation: sourceLocation)
    } catch let error as KeybearerError {
        #expect(error.code == code, sourceLocation: sourceLocation)
    } catch {
        Issue.record("\(error) is not a KeybearerError", sourceLocation: sourceLocation)
    }
}

extension Store {
    /// Adds an account and answers it.
    func add(_ new: NewAccount, _ samples: Samples) async throws -> Account {
        try await createAccount(new, audit: samples.event(.userCreated, user: new.user.id))
    }

    /// Adds an account made of nothing but defaults.
    func addAccount(_ samples: Samples, after seconds: Int64 = 0) async throws -> Account {
        try await add(samples.newAccount(after: seconds), samples)
    }

    /// The position of the newest change, found as a node finds it.
    func newestPosition(_ samples: Samples) async throws -> ChangePosition {
        let node = NodeID.random(from: samples.random)
        let position = try await registerNode(node, lease: .seconds(2))
        try await unregisterNode(node)
        return position
    }
}
