import Foundation
import Keybearer
import KeybearerPostgres
import KeybearerSQL
import KeybearerSQLite
import TestSupport
import Testing

/// What `Tests/Fixtures/0.1/expected.json` says that a database of version 0.1 holds.
private struct Expected: Decodable {
    struct Account: Decodable {
        let id, email, name, status, createdAt, keyPrefix, keyRest, keyId, generatedAt: String
        let isOperator: Bool
        let keyVersion, requestsInHour: Int
        let lastUsedAt, lastUsedIp: String?
    }
    struct Workspace: Decodable {
        struct Member: Decodable { let user, role: String }
        let id, name, plan, createdAt: String
        let members: [Member]
    }
    struct Plan: Decodable {
        let id, name: String
        let features: [String]
        let hourlyLimit, position: Int
        let billingURL: String?
    }
    struct Token: Decodable { let id, name, tokenPrefix, tokenRest: String }
    struct Session: Decodable { let user, cookiePrefix, cookieRest: String }
    struct Regeneration: Decodable {
        let user, idempotencyDigest, keyId: String
        let isLive: Bool
    }
    struct Database: Decodable {
        let accounts: [Account]
        let workspaces: [Workspace]
        let plans: [Plan]
        let operatorTokens: [Token]
        let sessions: [Session]
        let keyRegenerations: [Regeneration]
        let retiredMasterKeys, auditActions: [String]
    }
    let sqlite, postgres: Database
}

/// Databases of version 0.1 open unchanged (``SQLiteMigrations``, ``CommonMigrations``, ``AuditMigrations``): all keys,
/// windows and audit rows are still there.
@Suite("Databases of version 0.1")
struct Version01Tests {
    private static let folder = Repository.url("Tests/Fixtures/0.1")
    private let expected: Expected
    private let vault: KeyVault
    private let samples = Samples()

    init() throws {
        func text(_ name: String) throws -> String {
            try String(contentsOf: Self.folder.appendingPathComponent(name), encoding: .utf8)
        }
        expected = try JSONDecoder().decode(Expected.self, from: Data(try text("expected.json").utf8))
        vault = KeyVault(ring: try MasterKeyFormat.parse(try text("master.keys")))
    }

    @Test func anEmbeddedDatabaseOpens() async throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("keybearer.db")
        try FileManager.default.copyItem(
            atPath: Self.folder.appendingPathComponent("keybearer.db").path, toPath: path)
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
        #expect(try SQLiteStore.schemaState(path: path) == .older)
        // Twice: the upgrade, and the database that it left.
        for _ in 0..<2 {
            let store = try SQLiteStore.openStore(path: path, role: .commandLine)
            try await expectEverything(expected.sqlite, in: store)
            #expect(try store.sqlite.integrityProblems().isEmpty)
            try store.close()
        }
    }

    @Test func aSharedDatabaseOpens() async throws {
        let database = try PostgresDatabase()
        let loaded = try CommandRunner.run(
            program: "psql",
            [
                "--no-psqlrc", "--quiet", "-v", "ON_ERROR_STOP=1", "-d", database.address, "-f",
                Self.folder.appendingPathComponent("postgres.sql").path,
            ])
        #expect(loaded.status == 0, "\(loaded.stderr)")
        #expect(try PostgresStore.schemaState(of: database.address) == .older)
        for _ in 0..<2 {
            let store = try database.open()
            try await expectEverything(expected.postgres, in: store)
            try store.close()
        }
    }

    private func expectEverything(_ expected: Expected.Database, in store: SQLStore) async throws {
        // First: nothing that is done below may be among them.
        let actions = try await store.auditEvents(userID: nil, limit: 1_000).reversed().map(\.action.rawValue)
        #expect(Array(actions.prefix(expected.auditActions.count)) == expected.auditActions)
        try await expectAccounts(expected, in: store)
        try await expectWorkspaces(expected, in: store)
        for token in expected.operatorTokens {
            let secret = try #require(OperatorSecret(presented: token.tokenPrefix + token.tokenRest))
            #expect(try await store.operatorToken(digest: secret.digest, now: Samples.start)?.id.rawValue == token.id)
            #expect(try await store.untaggedOperatorTokens(limit: 10).contains(secret.digest))
        }
        #expect(try await store.untaggedOperatorTokens(limit: 10).count == expected.operatorTokens.count)
        // Its sessions end with the upgrade: their cookies carry no tag.
        for session in expected.sessions {
            #expect(try await store.sessions(of: UserID(rawValue: session.user)).isEmpty)
            #expect(SessionToken(parsing: session.cookiePrefix + session.cookieRest) == nil)
        }
        let retired = try await store.masterKeys().filter(\.isRetired).map(\.id.rawValue)
        #expect(retired == expected.retiredMasterKeys)
        #expect(try await store.storedSetting(.regenerateByKey) == "open")
        #expect(try await store.storedSetting(.passwordCost) == "17")
    }

    private func expectAccounts(_ expected: Expected.Database, in store: SQLStore) async throws {
        let stored = try await store.storedKeys(after: nil, limit: 100)
        let (accounts, total) = try await store.accounts(offset: 0, limit: 100)
        #expect(total == expected.accounts.count)
        for (account, wanted) in zip(accounts, expected.accounts) {
            #expect(account.user.id.rawValue == wanted.id)
            #expect(account.user.email.rawValue == wanted.email)
            #expect(account.user.name == wanted.name)
            #expect(account.user.status.rawValue == wanted.status)
            #expect(account.user.isOperator == wanted.isOperator)
            #expect(account.user.createdAt.description == wanted.createdAt)
            #expect(account.key.id.rawValue == wanted.keyId)
            #expect(account.key.version == wanted.keyVersion)
            #expect(account.key.shownPrefix == wanted.keyPrefix)
            #expect(account.key.generatedAt.description == wanted.generatedAt)
            #expect(account.key.lastUse?.at.description == wanted.lastUsedAt)
            #expect(account.key.lastUse?.address.description == wanted.lastUsedIp)
            let sealed = try #require(stored.first { $0.userID == account.user.id })
            let key = try vault.open(
                sealed.sealed, userID: sealed.userID, keyID: sealed.keyID, version: sealed.version)
            #expect(key.characters == wanted.keyPrefix + wanted.keyRest)
            #expect(vault.isGenuine(key))
            #expect(try await store.account(keyDigests: vault.digests(of: key)) == account)
            let look = QuotaRequest.look(account.user.id)
            let used = try await store.reserve([look], now: account.key.lastUse?.at ?? account.user.createdAt)
            #expect(used.map(\.charged) == [wanted.requestsInHour], "\(wanted.email)")
            #expect(try await store.credentials(of: account.user.id)?.password.version == 1)
        }
        try await expectReplays(expected, accounts, in: store)
    }

    /// What an `Idempotency-Key` led to is remembered for a day, across the upgrade too.
    private func expectReplays(
        _ expected: Expected.Database, _ accounts: [Account], in store: SQLStore
    ) async throws {
        for regeneration in expected.keyRegenerations {
            let account = try #require(accounts.first { $0.user.id.rawValue == regeneration.user })
            let digest = try #require([UInt8](hex: regeneration.idempotencyDigest))
            let key = APIKey(
                id: .random(from: samples.random), version: account.key.version + 1, shownPrefix: "tdc_none",
                generatedAt: account.key.generatedAt)
            let again = KeyReplacement(
                userID: account.user.id, key: key, sealed: samples.sealedKey(),
                request: IdempotentRequest(
                    scope: account.user.id.rawValue, keyDigest: digest, requestDigest: Samples.request))
            let outcome = try await store.replaceKey(again, audit: samples.event(.keyRegenerated)).value
            if case .replayed(let replayed, _) = outcome {
                #expect(regeneration.isLive && replayed.id.rawValue == regeneration.keyId)
            } else {
                #expect(outcome == .superseded && !regeneration.isLive)
            }
        }
    }

    private func expectWorkspaces(_ expected: Expected.Database, in store: SQLStore) async throws {
        let (workspaces, total) = try await store.workspaces(offset: 0, limit: 100)
        #expect(total == expected.workspaces.count)
        for (found, wanted) in zip(workspaces, expected.workspaces) {
            #expect(found.workspace.id.rawValue == wanted.id)
            #expect(found.workspace.name == wanted.name)
            #expect(found.workspace.planID.rawValue == wanted.plan)
            #expect(found.workspace.createdAt.description == wanted.createdAt)
            let members = try await store.members(of: found.workspace.id)
                .map { "\($0.user.id.rawValue) \($0.role.rawValue)" }
            #expect(Set(members) == Set(wanted.members.map { "\($0.user) \($0.role)" }))
        }
        let plans = try await store.plans()
        #expect(plans.map(\.id.rawValue) == expected.plans.map(\.id))
        for (plan, wanted) in zip(plans, expected.plans) {
            #expect(plan.name == wanted.name && plan.hourlyLimit == wanted.hourlyLimit)
            #expect(plan.billingURL?.description == wanted.billingURL && plan.position == wanted.position)
            #expect(Set(plan.features.map(\.rawValue)) == Set(wanted.features))
        }
    }
}

extension [UInt8] {
    /// Reads pairs of hexadecimal digits.
    fileprivate init?(hex text: String) {
        guard text.count.isMultiple(of: 2) else { return nil }
        var bytes: [UInt8] = []
        var rest = Substring(text)
        while !rest.isEmpty {
            guard let byte = UInt8(rest.prefix(2), radix: 16) else { return nil }
            bytes.append(byte)
            rest = rest.dropFirst(2)
        }
        self = bytes
    }
}
