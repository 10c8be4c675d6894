import Foundation
import Keybearer
import KeybearerPostgres
import KeybearerSQL
import KeybearerSQLite
import TestSupport
import Testing

/// The ``MoveMark`` of a database that is moved (``SQLiteMove``, ``PostgresMove``): what it stops, and what it does
/// not.
@Suite struct MoveMarkTests {
    private let samples = Samples()
    private static let target = MoveMark.Target(name: "postgres://ada@db:5432/kb", identity: "db")

    @Test func aMarkIsReadAsItWasWritten() {
        for phase in [MoveMark.Phase.moving, .moved] {
            let mark = MoveMark(phase, to: Self.target)
            #expect(MoveMark(identifier: mark.identifier) == mark)
        }
        for name in CommonMigrations.all.map(\.identifier) + ["1 accounts, workspaces, fence", "lock", "moved", ""] {
            #expect(MoveMark(identifier: name) == nil, "\(name)")
        }
    }

    @Test(arguments: storesUnderTest) func whoHasItOpenWritesNothingMore(_ kind: StoreUnderTest) async throws {
        let open = try await kind.makeDatabase()
        let store = try #require(try await open() as? SQLStore)
        let engine = try #require(store.engine as? any MovableEngine)
        let account = try await store.addAccount(samples)
        #expect(try await store.storedSetting(.databaseID)?.count == 22)
        let node = NodeID.random(from: samples.random)
        let position = try await store.registerNode(node, lease: .seconds(2))
        let mark = MoveMark(.moving, to: Self.target)
        // A node that nobody watched is in the way; so is one that renewed since.
        await expect(.conflict) { try engine.setMoveMark(mark, replacing: nil, expired: []) }
        let seen = try await store.nodes()
        _ = try await store.renewLease(of: node, applied: position)
        await expect(.conflict) { try engine.setMoveMark(mark, replacing: nil, expired: seen) }
        try engine.setMoveMark(mark, replacing: nil, expired: try await store.nodes())
        #expect(try engine.moveMark() == mark)
        #expect(try await store.renewLease(of: node, applied: position) == .unknownNode)
        await expect(.unavailable) { _ = try await store.registerNode(node, lease: .seconds(2)) }
        await expect(.unavailable) { _ = try await store.addAccount(samples) }
        await expect(.unavailable) {
            _ = try await store.replaceKey(samples.replacement(of: account), audit: samples.event(.keyRegenerated))
        }
        await expect(.unavailable) {
            _ = try await store.deleteAccount(account.user.id, audit: samples.event(.userDeleted))
        }
        await expect(.unavailable) {
            let wanted = QuotaRequest.reserve(account.user.id, count: 1, limit: 9, life: .seconds(60))
            _ = try await store.reserve([wanted], now: samples.at(1))
        }
        #expect(try await store.account(id: account.user.id) == account)
        // Nobody opens it any more, until the mark is taken back.
        await expect(.unavailable) { _ = try await open() }
        // Another mark than the one that was to be replaced says where the move goes; none, that somebody took it back.
        let refusal = #expect(throws: KeybearerError.self) { try engine.setMoveMark(nil, replacing: nil, expired: []) }
        #expect(refusal?.operatorMessage.contains("is being moved to postgres://ada@db:5432/kb") == true)
        #expect(refusal?.storeFailure?.advice.contains("--undo") == true)
        let moved = MoveMark(.moved, to: Self.target)
        try engine.setMoveMark(moved, replacing: mark, expired: [])
        await expect(.unavailable) { _ = try await open() }
        try engine.setMoveMark(nil, replacing: moved, expired: [])
        await expect(.conflict) { try engine.setMoveMark(nil, replacing: moved, expired: []) }
        _ = try await store.replaceKey(samples.replacement(of: account), audit: samples.event(.keyRegenerated))
        try await open().close()
        try store.close()
    }
}
