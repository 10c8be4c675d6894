import Foundation
import GRDB
import Keybearer
import KeybearerSQLite

/// A database in a directory with its master keys beside it, as a demonstration keeps them, and many accounts in it.
///
/// The accounts are written by SQL of its own, in one transaction: a million sign-ups would take an hour. Their keys
/// are made, sealed and digested by the domain, so they verify like any other.
struct AccountFile: Sendable {
    let directory: String

    /// A key as it is presented.
    struct Token: Sendable {
        let characters: String
        let presented: PresentedToken
    }

    var database: String { directory + "/keybearer.db" }
    private var masterKeys: String { directory + "/keybearer.keys" }
    private var tokenFile: String { directory + "/tokens" }

    /// One call of the system for each piece, where the domain's source makes one for each byte.
    static let random = RandomSource { count in
        [UInt8](unsafeUninitializedCapacity: count) { buffer, initialised in
            if let address = buffer.baseAddress { arc4random_buf(address, count) }
            initialised = count
        }
    }

    static func email(_ number: Int) -> String { "load\(number)@example.com" }

    /// Makes the database and the master keys.
    func create() throws {
        let ring = try MasterKeyRing.generate(from: .system)
        try Data(MasterKeyFormat.format(ring).utf8).write(to: URL(fileURLWithPath: masterKeys))
        try SQLiteStore.open(path: database, role: .server).close()
    }

    func ring() throws -> MasterKeyRing {
        try MasterKeyFormat.parse(String(contentsOfFile: masterKeys, encoding: .utf8))
    }

    /// The keys of the accounts that were added, in their order.
    func tokens() throws -> [Token] {
        try String(contentsOfFile: tokenFile, encoding: .utf8).split(separator: "\n").compactMap { line in
            SecretKey(parsing: line.utf8).map { Token(characters: $0.characters, presented: $0.presented) }
        }
    }

    /// Adds accounts on the plan "pro", whose hour is made endless, each with a workspace of its own.
    func add(_ count: Int) async throws {
        let vault = KeyVault(ring: try ring())
        var configuration = Configuration()
        configuration.foreignKeysEnabled = false
        let queue = try DatabaseQueue(path: database, configuration: configuration)
        try await queue.writeWithoutTransaction { db in
            // Nothing else has the file open, and a run that fails is run again.
            try db.execute(
                sql: """
                    PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -1000000;
                    PRAGMA temp_store = MEMORY; UPDATE plans SET hourly_limit = 1000000000 WHERE id = 'pro'
                    """)
        }
        let size = 20_000
        var characters = ""
        var made = try make(0..<min(size, count), vault)
        for start in stride(from: 0, to: count, by: size) {
            let accounts = made
            let next = (start + size)..<max(start + size, min(start + 2 * size, count))
            // The next are made while these are written.
            async let following = make(next, vault)
            try await queue.write { db in for account in accounts { try account.insert(db) } }
            for account in accounts { characters += account.secret.characters + "\n" }
            made = try await following
        }
        try queue.close()
        try Data(characters.utf8).write(to: URL(fileURLWithPath: tokenFile))
    }

    private func make(_ numbers: Range<Int>, _ vault: KeyVault) throws -> [LoadedAccount] {
        try numbers.map { try LoadedAccount(number: $0, vault: vault) }
    }
}

extension SecretKey {
    /// The key as a client presents it.
    var presented: PresentedToken {
        guard let token = Array(characters.utf8).withUnsafeBufferPointer(PresentedToken.init) else {
            fatalError("a key is longer than a token may be")
        }
        return token
    }
}

/// An account to be written.
private struct LoadedAccount: Sendable {
    let number: Int
    let userID: UserID
    let keyID: KeyID
    let workspaceID: WorkspaceID
    let secret: SecretKey
    let sealed: SealedKey

    init(number: Int, vault: KeyVault) throws {
        self.number = number
        // Ids in order: neighbours in the file, where a million random ones would take minutes to write.
        let digits = String(number)
        let id = String(repeating: "0", count: 20 - digits.count) + digits
        userID = UserID(rawValue: UserID.prefix + id)
        keyID = KeyID(rawValue: KeyID.prefix + id)
        workspaceID = WorkspaceID(rawValue: WorkspaceID.prefix + id)
        secret = try vault.issue(prefix: .standard, random: AccountFile.random)
        sealed = try vault.seal(secret, userID: userID, keyID: keyID, version: 1)
    }

    func insert(_ db: Database) throws {
        let time = 1_700_000_000_000 + number
        try execute(
            db,
            """
            INSERT INTO users (id, email, name, status, is_operator, password_hash, created_at)
            VALUES (?, ?, 'Account', 'active', 0, '$scrypt$', ?)
            """,
            [userID.rawValue, AccountFile.email(number), time])
        try execute(
            db,
            """
            INSERT INTO api_keys (user_id, key_id, version, shown_prefix, digest, master_key_id, box, generated_at)
            VALUES (?, ?, 1, ?, ?, ?, ?, ?)
            """,
            [
                userID.rawValue, keyID.rawValue, secret.shownPrefix, Data(sealed.digest), sealed.masterKeyID.rawValue,
                Data(sealed.box), time,
            ])
        try execute(
            db,
            "INSERT INTO workspaces (id, name, plan_id, created_at) VALUES (?, 'Workspace of an account', 'pro', ?)",
            [workspaceID.rawValue, time])
        try execute(
            db, "INSERT INTO memberships (workspace_id, user_id, role) VALUES (?, ?, 'owner')",
            [workspaceID.rawValue, userID.rawValue])
    }

    private func execute(_ db: Database, _ sql: String, _ arguments: StatementArguments) throws {
        try db.cachedStatement(sql: sql).execute(arguments: arguments)
    }
}
