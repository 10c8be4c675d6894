import Keybearer
import KeybearerSQL
import KeybearerPostgres
import KeybearerSQLite
import TestSupport
import Testing

/// A ``Transfer`` from one engine to the other and back: every ``CopiedTable`` (``PostgresCopy``).
@Suite struct TransferTests {
    private let samples = Samples()

    private func openFile(_ directory: TemporaryDirectory, _ name: String) throws -> SQLStore {
        try SQLiteStore.openStore(path: directory.file(name), role: .commandLine)
    }

    private func move(
        _ source: SQLStore, to target: SQLStore, progress: @escaping () -> Void = {}
    ) throws -> Transfer.Report {
        try Transfer { _ in progress() }
            .run(from: source, to: target, nonce: "moved", audit: samples.event(.storeMoved))
    }

    /// Accounts, members, sessions, a used window, a regenerated key, an operator's token, a retired master key.
    private func fill(_ store: any Store) async throws -> (Account, other: Account, tokenDigest: [UInt8]) {
        let account = try await store.addAccount(samples)
        let other = try await store.addAccount(samples, after: 5)
        _ = try await store.putMember(
            Membership(workspaceID: account.workspaces[0].workspace.id, userID: other.user.id, role: .admin),
            audit: samples.event(.memberAdded))
        _ = try await store.replaceKey(
            samples.replacement(of: account, idempotencyDigest: samples.random.bytes(32)),
            audit: samples.event(.keyRegenerated))
        let regenerated = try #require(try await store.account(id: account.user.id))
        try await store.recordUse(of: regenerated, LastUse(at: samples.at(70), address: Samples.address))
        let digest = samples.random.bytes(32)
        try await store.startSession(
            samples.session(of: other.user.id), tokenDigest: digest, replacing: nil,
            audit: samples.event(.sessionStarted))
        _ = try await store.reserve(
            [.reserve(account.user.id, count: 7, limit: 1_000, life: .seconds(60))],
            now: samples.at(80))
        try await store.createOperatorToken(
            OperatorToken(
                id: .random(from: samples.random), name: "CI", scopes: [.introspect], createdAt: samples.at(1)),
            digest: samples.random.bytes(32), audit: samples.event(.operatorTokenCreated))
        let attempt = samples.random.bytes(32)
        _ = try await store.useSignInAttempt(digest: attempt, now: samples.at(90))
        try await store.putPendingIdentity(
            PendingIdentity(identity: Identity(issuer: "https://login.example", subject: "waits"), email: nil),
            ofAttempt: attempt)
        _ = try await store.createAccount(
            samples.newAccount(after: 9), with: Identity(issuer: "https://login.example", subject: "one"),
            audit: samples.event(.userCreated), linked: samples.event(.identityLinked))
        try await store.retireMasterKeys(
            [MasterKeyID(rawValue: "mk_old")], audit: samples.event(.masterKeysChanged))
        return (account, other, digest)
    }

    private func expectSame(_ first: any Store, _ second: any Store, tokenDigest: [UInt8]) async throws {
        let (accounts, _) = try await first.accounts(offset: 0, limit: 100)
        #expect(try await second.accounts(offset: 0, limit: 100).page == accounts)
        #expect(try await second.storedKeys(after: nil, limit: 100) == first.storedKeys(after: nil, limit: 100))
        #expect(try await second.plans() == first.plans())
        #expect(try await second.session(tokenDigest: tokenDigest) == first.session(tokenDigest: tokenDigest))
        #expect(try await second.operatorTokens() == first.operatorTokens())
        let events = try await first.auditEvents(userID: nil, limit: 100)
        #expect(try await second.auditEvents(userID: nil, limit: 100).suffix(events.count) == events[...])
        let identity = Identity(issuer: "https://login.example", subject: "one")
        #expect(try await second.account(identity: identity) == first.account(identity: identity))
        for account in accounts {
            let look = QuotaRequest.look(account.user.id)
            let window = try await first.reserve([look], now: samples.at(80))
            #expect(try await second.reserve([look], now: samples.at(80)) == window)
        }
    }

    @Test func everythingArrivesThereAndBack() async throws {
        let directory = try TemporaryDirectory()
        let file = try openFile(directory, "one.db")
        let shared = try PostgresDatabase().open()
        let back = try openFile(directory, "back.db")
        let (_, other, digest) = try await fill(file)
        _ = try await file.perform([samples.create(samples.imported())], by: .commandLine)
        let imported = try await file.importedKeyPrefixes()
        let report = try move(file, to: shared)
        #expect(report.rows.first { $0.table == "users" }?.count == 4)
        #expect(imported.count == 1)
        #expect(try await shared.importedKeyPrefixes() == imported)
        try await expectSame(file, shared, tokenDigest: digest)
        // Life goes on there: numbers, audit rows, refusals of retired master keys.
        _ = try await shared.setStatus(.active, of: other.user.id, audit: samples.event(.userEnabled))
        await expect(.unavailable) {
            let sealed = samples.sealedKey(under: MasterKeyID(rawValue: "mk_old"))
            _ = try await shared.replaceKey(
                KeyReplacement(
                    userID: other.user.id, key: samples.key(version: 2), sealed: sealed, request: nil),
                audit: samples.event(.keyRegenerated))
        }
        _ = try move(shared, to: back)
        try await expectSame(shared, back, tokenDigest: digest)
        #expect(try await back.importedKeyPrefixes() == imported)
        for store in [file as any Store, shared, back] { try store.close() }
    }

    @Test func theTargetsHistoryBeginsAnewAboveBoth() async throws {
        let directory = try TemporaryDirectory()
        let file = try openFile(directory, "one.db")
        let shared = try PostgresDatabase().open()
        let earlier = try await file.recordChange(of: .everything, audit: samples.event(.planChanged))
        for _ in 0..<3 { _ = try await shared.recordChange(of: .everything, audit: samples.event(.planChanged)) }
        _ = try move(file, to: shared)
        let newest = try await shared.newestPosition(samples)
        #expect(newest.number == 4)
        #expect(newest.nonce == "moved")
        #expect(try await shared.changes(after: earlier, limit: 10) == nil)
        #expect(try await shared.changes(after: newest, limit: 10) == [])
        try file.close()
        try shared.close()
    }

    @Test func aTargetWithAccountsIsLeftAlone() async throws {
        let directory = try TemporaryDirectory()
        let file = try openFile(directory, "one.db")
        let shared = try PostgresDatabase().open()
        _ = try await file.addAccount(samples)
        let theirs = try await shared.addAccount(samples)
        await expect(.conflict) { _ = try move(file, to: shared) }
        #expect(try await shared.accounts(offset: 0, limit: 10).page == [theirs])
        try file.close()
        try shared.close()
    }

    @Test func anInterruptedCopyLeavesNothingAndIsRunAgain() async throws {
        let directory = try TemporaryDirectory()
        let file = try openFile(directory, "one.db")
        let shared = try PostgresDatabase().open()
        let (_, _, digest) = try await fill(file)
        // It throws when all is copied: as a process that ends before the commit.
        await expect(.conflict) {
            // An event that is among the copied ones: writing it fails when all tables have arrived.
            let event = try #require(try await file.auditEvents(userID: nil, limit: 1).first)
            _ = try Transfer { _ in }.run(from: file, to: shared, nonce: "moved", audit: event)
        }
        #expect(try await shared.accounts(offset: 0, limit: 10).total == 0)
        #expect(try await shared.plans().count == 2)
        _ = try move(file, to: shared)
        try await expectSame(file, shared, tokenDigest: digest)
        try file.close()
        try shared.close()
    }
}
