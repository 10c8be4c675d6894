import Foundation
import Keybearer
import KeybearerPostgres
import KeybearerSQL
import KeybearerSQLite
import TestSupport
import Testing

/// A kind of store, an ``SQLStore`` over an ``SQLEngine``, that must keep the promises of ``Store``: every conformance
/// test runs over every one.
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
        return { try SQLiteStore.openStore(path: directory.file("keybearer.db"), role: .server) }
    }

    static let postgres = StoreUnderTest(testDescription: "PostgreSQL") {
        let database = try PostgresDatabase()
        // With a lease of 2 s, as servers have, a fence's round trip may take 1 s: too little beside all other tests.
        return { try database.open(lease: .seconds(8)) }
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
    func newestPosition(_ samples: Samples) async throws -> ChangeLogPosition {
        let node = NodeID.random(from: samples.random)
        let position = try await registerNode(node, lease: .seconds(2))
        try await unregisterNode(node)
        return position
    }
}

extension SQLStore {
    /// The file behind it.
    var sqlite: SQLiteEngine {
        get throws { try #require(file) }
    }

    /// The server behind it.
    var postgres: PostgresEngine {
        get throws { try #require(server) }
    }
}

/// The operator's own changes, at the command line: what no authority can end.
extension Store {
    func createAccount(_ new: NewAccount, audit: AuditEvent) async throws -> Account {
        try await createAccount(new, by: .commandLine, audit: audit)
    }

    func setPassword(
        _ hash: String, of userID: UserID, keeping session: SessionID?, audit: AuditEvent
    ) async throws -> ChangeLogPosition {
        await applied(
            try await setPassword(hash, of: userID, keeping: session, by: .commandLine, audit: audit)
        ).position
    }

    func setStatus(_ status: User.Status, of userID: UserID, audit: AuditEvent) async throws -> ChangeLogPosition {
        await applied(try await setStatus(status, of: userID, by: .commandLine, audit: audit)).position
    }

    func deleteAccount(_ userID: UserID, audit: AuditEvent) async throws -> ChangeLogPosition {
        await applied(try await deleteAccount(userID, by: .commandLine, audit: audit)).position
    }

    func replaceKey(
        _ replacement: KeyReplacement, audit: AuditEvent
    ) async throws -> (value: KeyReplacementOutcome, position: ChangeLogPosition) {
        await applied(try await replaceKey(replacement, by: .commandLine, needs: nil, audit: audit))
    }

    func recordReveal(of userID: UserID, audit: AuditEvent) async throws {
        _ = try await revealKey(of: userID, by: .commandLine, needs: nil, audit: audit)
    }

    func sealedKey(of userID: UserID) async throws -> SealedKey? {
        try await storedKeys(after: nil, limit: 1_000).first { $0.userID == userID }?.sealed
    }

    func passwordHash(of userID: UserID) async throws -> String? { try await credentials(of: userID)?.password.hash }

    /// Writes one use.
    func recordUse(of account: Account, _ use: LastUse, now: Timestamp = Samples.start.advanced(by: .seconds(3_600)))
        async throws
    {
        try await recordLastUses([KeyUse(userID: account.user.id, keyID: account.key.id, use: use)], now: now)
    }

    /// Writes uses and nothing else.
    func recordLastUses(_ uses: [KeyUse], now: Timestamp) async throws {
        try await recordUsage(UsageBatch(writer: "writer", number: 1, uses: uses, counts: []), now: now)
    }

    func reseal(_ keys: [StoredKey], audit: AuditEvent) async throws {
        try await reseal(keys, by: .commandLine, audit: audit)
    }

    func retireMasterKeys(_ ids: [MasterKeyID], audit: AuditEvent) async throws {
        try await retireMasterKeys(ids, by: .commandLine, audit: audit)
    }

    /// Makes a master key one of those in use, as a rotation does.
    func recordMasterKey(_ id: MasterKeyID) async throws {
        try await putMasterKeys([
            MasterKeyRecord(
                id: id, isRetired: false, seals: true, tags: true, tagFingerprint: nil, digestFingerprint: nil)
        ])
    }

    func putPlan(_ plan: Plan, audit: AuditEvent) async throws -> ChangeLogPosition {
        await applied(try await putPlan(plan, by: .commandLine, audit: audit)).position
    }

    func deletePlan(_ id: PlanID, audit: AuditEvent) async throws -> ChangeLogPosition {
        await applied(try await deletePlan(id, by: .commandLine, audit: audit)).position
    }

    func createWorkspace(
        id: WorkspaceID, name: String, owner: UserID, createdAt: Timestamp, audit: AuditEvent
    ) async throws -> (workspace: Workspace, position: ChangeLogPosition) {
        let (workspace, position) = await applied(
            try await createWorkspace(
                NewWorkspace(id: id, name: name, externalID: nil, planID: nil, owner: owner, createdAt: createdAt),
                ownedAtMost: nil, by: .commandLine, audit: audit))
        return (workspace, position)
    }

    func setPlan(_ planID: PlanID, of workspaceID: WorkspaceID, audit: AuditEvent) async throws -> ChangeLogPosition {
        await applied(try await setPlan(planID, of: workspaceID, by: .commandLine, needs: nil, audit: audit)).position
    }

    func putMember(_ membership: Membership, audit: AuditEvent) async throws -> ChangeLogPosition {
        await applied(try await putMember(membership, by: .commandLine, needs: nil, audit: audit)).position
    }

    func removeMember(_ userID: UserID, from id: WorkspaceID, audit: AuditEvent) async throws -> ChangeLogPosition {
        await applied(try await removeMember(userID, from: id, by: .commandLine, needs: nil, audit: audit)).position
    }

    func startSession(
        _ session: Session, tokenDigest: [UInt8], replacing old: SessionID?, audit: AuditEvent
    ) async throws {
        _ = try await startSession(
            session, token: MintedToken(digest: tokenDigest, tagKeyID: MasterKeyID(rawValue: "mk_one")),
            replacing: old.map { ReplacedSession(id: $0, userID: session.userID) }, by: .commandLine, audit: audit)
    }

    func session(tokenDigest: [UInt8]) async throws -> Session? {
        try await session(tokenDigest: tokenDigest, now: Samples.start)?.session
    }

    func sessions(of userID: UserID) async throws -> [Session] {
        try await sessions(of: userID, now: Samples.start).sessions
    }

    func endSession(_ id: SessionID, of userID: UserID, audit: AuditEvent) async throws {
        try await endSession(id, of: userID, by: .commandLine, audit: audit)
    }

    func createOperatorToken(_ record: OperatorToken, digest: [UInt8], audit: AuditEvent) async throws {
        try await createOperatorToken(
            record, token: MintedToken(digest: digest, tagKeyID: MasterKeyID(rawValue: "mk_one")), by: .commandLine,
            audit: audit)
    }

    func revokeOperatorToken(_ id: OperatorTokenID, audit: AuditEvent) async throws {
        try await revokeOperatorToken(id, by: .commandLine, audit: audit)
    }

    func recordChange(of subject: Change.Subject, audit: AuditEvent) async throws -> ChangeLogPosition {
        await applied(try await recordChange(of: subject, by: .commandLine, audit: audit)).position
    }
}
