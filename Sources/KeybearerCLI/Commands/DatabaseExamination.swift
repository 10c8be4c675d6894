import Foundation
import Keybearer
import KeybearerPostgres
import KeybearerSQLite

extension Finding {
    /// Whether the data holds together.
    static func data(_ problems: [String], mend: String) -> Finding {
        problems.isEmpty
            ? Finding(.ok, "database", "Sound, and every account has one key.")
            : Finding(.broken, "database", problems.joined(separator: " "), mend: mend)
    }
}

extension Finding {
    /// Whether the master keys at hand open every Secret Key.
    static func keys(unopenable count: Int) -> Finding {
        count == 0
            ? Finding(.ok, "keys", "Every Secret Key opens with these master keys.")
            : Finding(
                .broken, "keys", "\(count) Secret Keys do not open with these master keys.",
                mend: "Add the master key they were sealed under, as a line 'master mk_… …', from its backup.")
    }
}

extension Finding {
    private static let mostTwins = 10

    /// Accounts that earlier versions told apart by the spelling of one address alone.
    static func twins(_ twins: [[UserID]]) -> Finding {
        guard !twins.isEmpty else { return Finding(.ok, "addresses", "No two accounts share an address.") }
        let named = twins.prefix(mostTwins).map { $0.map(\.rawValue).joined(separator: " = ") }
        let more = twins.count > mostTwins ? ", and \(twins.count - mostTwins) more" : ""
        return Finding(
            .warning, "addresses",
            "Some accounts have the same address in different spellings: \(named.joined(separator: ", "))\(more).",
            mend: "Ask their holders which account they use, and delete the other one with 'keybearer user delete'.")
    }
}

/// Looks at the embedded database.
struct FileExamination {
    let store: SQLiteEngine
    let location: DatabaseLocation

    func findings() throws -> [Finding] {
        var findings = [
            Finding.data(
                try store.integrityProblems(),
                mend: "Stop the server, keep a copy of the files, and restore the last sound backup.")
        ]
        let settings = try store.settings()
        if settings.journalMode != "wal" || settings.synchronous != 2 {
            findings.append(
                Finding(
                    .broken, "durability",
                    "journal_mode is \(settings.journalMode), synchronous is \(settings.synchronous).",
                    mend: "Use a local disk whose file system supports shared memory."))
        }
        guard case .sqlite(let path) = location else { return findings }
        let attributes = try? FileManager.default.attributesOfItem(atPath: path)
        let mode = (attributes?[.posixPermissions] as? NSNumber)?.intValue ?? 0
        if mode & 0o077 != 0 {
            findings.append(
                Finding(.warning, "database", "Others on this machine can read the file.", mend: "chmod 600 \(path)"))
        }
        return findings
    }
}

/// Looks at PostgreSQL: what it needs to keep the promises of docs/revocation.md.
struct PostgresExamination {
    /// A difference of the clocks that people should know of.
    private static let notableDifference: Duration = .seconds(5)

    let store: PostgresEngine
    let bootstrap: Bootstrap

    func findings() async throws -> [Finding] {
        let inspection = try await store.inspect(now: Clocks.system.wall())
        var findings = [
            Finding.data(inspection.problems, mend: "Stop the servers and restore the last sound backup."),
            Finding(.ok, "server", "PostgreSQL \(inspection.version)."),
        ]
        if !inspection.survivesPowerCut {
            findings.append(
                Finding(
                    .broken, "durability", "fsync or full_page_writes is off: a power cut can revive revoked keys.",
                    mend: "Switch both on."))
        }
        findings.append(replication(inspection.standbys))
        if case .postgres(let address) = bootstrap.settings.database,
            try PostgresStore.pooler(of: address.text) == .sessionPooler
        {
            findings.append(Finding(.ok, "pooler", "A pooler stands between; it keeps sessions, as it must."))
        }
        if !inspection.isEncrypted {
            findings.append(
                Finding(
                    .warning, "encryption", "The connection to PostgreSQL is not encrypted.",
                    mend: "Add sslmode=verify-full and sslrootcert to the connection string, unless both are on one "
                        + "machine."))
        }
        let difference = inspection.clockDifference
        if difference > Self.notableDifference || difference < .zero - Self.notableDifference {
            findings.append(
                Finding(
                    .warning, "clock",
                    "The server's clock differs from this machine's by \(difference).",
                    mend: "Keep all clocks in step with NTP: rolling hours follow the server's."))
        }
        return findings
    }

    /// With an asynchronous standby, a promotion loses the last changes: a key that was revoked passes again.
    private func replication(_ standbys: [PostgresInspection.Standby]) -> Finding {
        if standbys.isEmpty {
            return Finding(.ok, "replication", "No standby is connected: nothing fails over.")
        }
        if standbys.contains(where: { $0.isSynchronous == nil }) {
            return Finding(
                .warning, "replication", "This role may not see whether commits wait for a standby.",
                mend: "GRANT pg_monitor to it, and run this again.")
        }
        if !standbys.contains(where: { $0.isSynchronous == true }) {
            return Finding(
                .warning, "replication",
                "Every standby is asynchronous: promoting one can lose changes that were answered, so a key that was "
                    + "regenerated passes again.",
                mend: "Set synchronous_standby_names, and stop or fence the old primary before a promotion.")
        }
        return Finding(.ok, "replication", "Commits wait for a synchronous standby.")
    }
}
