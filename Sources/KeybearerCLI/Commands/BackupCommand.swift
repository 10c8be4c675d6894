import ArgumentParser
import Foundation
import Keybearer
import KeybearerSQL
import KeybearerSQLite

/// `keybearer backup`: copies of the database, and whether they are good for anything.
struct BackupCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup", abstract: "Copy the database into a new file, while servers run.",
        discussion: "The Secret Keys in it are sealed. Back up the master-key file too, apart from it.",
        subcommands: [Create.self, Drill.self, MakeIdentity.self], defaultSubcommand: Create.self)

    /// `keybearer backup create`, which `keybearer backup FILE` is too.
    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "create", abstract: "Copy the database into a new file, or into a directory that keeps some.")

        @OptionGroup(title: SettingOptions.title) var options: SettingOptions
        @Argument(help: "The new file.") var file: String?
        @Option(help: "A directory: the file gets a name with the time.") var into: String?
        @Option(name: .customLong("keep"), help: "With --into: remove the oldest such files beyond this many.")
        var newest: Int?
        @Option(help: "Encrypt it for this public key, as 'keybearer backup make-identity' printed it.")
        var recipient: String?

        func validate() throws {
            guard (file == nil) != (into == nil) else {
                throw ValidationError("Name a file, or a directory with --into.")
            }
            if let newest {
                guard into != nil else { throw ValidationError("--keep needs --into.") }
                guard newest > 0 else { throw ValidationError("--keep needs a number above 0.") }
            }
        }

        func run() async throws {
            let recipient = try recipient.map { text in
                guard let recipient = BackupRecipient(text) else {
                    throw CommandFailure(.dataError, "--recipient is no public key such as kbbackup_…")
                }
                return recipient
            }
            let bootstrap = try await Bootstrap(options)
            let (store, database) = try bootstrap.openFile(instead: "pg_dump or its physical backups")
            defer { try? store.close() }
            let path = into.map { BackupDirectory(path: $0).newFile(isSealed: recipient != nil) } ?? file ?? ""
            if let recipient {
                try write(database, of: bootstrap, to: path, for: recipient)
            } else {
                try database.backUp(to: path)
            }
            Console.report("Wrote \(path). It is of use only with the master keys of today.")
            do {
                try await bootstrap.requireRing(of: store)
            } catch let failure as CommandFailure where failure.status == .configuration {
                Console.report("Warning: \(failure.message)")
            }
            if let into, let newest {
                for removed in try BackupDirectory(path: into).removeOldest(keeping: newest) {
                    Console.report("Removed \(removed).")
                }
            }
        }

        private func write(
            _ database: SQLiteEngine, of bootstrap: Bootstrap, to path: String, for recipient: BackupRecipient
        ) throws {
            guard case .sqlite(let location) = bootstrap.settings.database else { return }
            let scratch = location + ".backing-up"
            // One that a crash left behind.
            BackupFile.remove(scratch)
            defer { BackupFile.remove(scratch) }
            try database.backUp(to: scratch)
            try BackupFile(path: scratch).seal(to: path, for: recipient)
        }
    }

    /// `keybearer backup drill`: whether a backup can be restored, without touching the database.
    struct Drill: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "drill",
            abstract: "Restore a backup into a throw-away database, check it and count what is in it.",
            discussion: "The database itself is not opened. It exits with 78 when the backup could not replace it.")

        @OptionGroup(title: SettingOptions.title) var options: SettingOptions
        @Argument(help: "The backup.") var file: String
        @Option(help: "The file of the private key, for an encrypted backup.") var identity: String?

        func run() async throws {
            let bootstrap = try await Bootstrap(options)
            guard case .sqlite(let database) = bootstrap.settings.database else {
                throw CommandFailure(.dataError, "this is for the embedded database")
            }
            let isSound = try await BackupFile(path: file).withOpened(
                identity: identity, beside: database
            ) { path in
                let copy = try SQLiteEngine.openCopy(ofBackup: path, beside: database)
                defer { copy.remove() }
                return try await report(on: copy.store, bootstrap)
            }
            if !isSound { throw ExitCode(Failure.Status.configuration.rawValue) }
        }

        private func report(on store: SQLStore, _ bootstrap: Bootstrap) async throws -> Bool {
            var findings = [
                Finding.data(try store.file?.integrityProblems() ?? [], mend: "Use an earlier backup.")
            ]
            try await bootstrap.requireRing(of: store)
            let services = try bootstrap.makeServices(store: store, role: .command)
            findings.append(.keys(unopenable: try await services.masterKeys.unopenableKeys().count))
            findings.append(try await .auditLog(services.audit))
            let accounts = try await store.accounts(of: nil, offset: 0, limit: 1).total
            let workspaces = try await store.workspaces(offset: 0, limit: 1).total
            findings.append(Finding(.ok, "content", "\(accounts) accounts in \(workspaces) workspaces."))
            for finding in findings { Console.output(finding.text) }
            return !findings.contains { $0.state == .broken }
        }
    }

    /// `keybearer backup make-identity`.
    struct MakeIdentity: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "make-identity", abstract: "Make a private key that opens backups, and print its public key.",
            discussion: "Keep the file away from the servers: they need the public key alone.")

        @Argument(help: "The new file for the private key.") var file: String

        func run() throws {
            Console.output(try BackupFile.makeIdentity(at: file).text)
            Console.report("Wrote \(file). Without it no backup for this public key can be opened.")
        }
    }
}

/// A directory with backups that have the time in their names.
struct BackupDirectory {
    let path: String
    private static var pattern: Regex<(Substring, Substring)> { /keybearer-\d{8}T\d{6}Z\.(db|kbb)/ }

    /// The path of a new one.
    func newFile(isSealed: Bool, at time: Date = Date()) -> String {
        let formatter = DateFormatter()
        formatter.locale = Locale(identifier: "en_US_POSIX")
        formatter.timeZone = TimeZone(identifier: "UTC")
        formatter.dateFormat = "yyyyMMdd'T'HHmmss'Z'"
        return "\(path)/keybearer-\(formatter.string(from: time)).\(isSealed ? "kbb" : "db")"
    }

    /// Removes the oldest, and touches no file with another name.
    func removeOldest(keeping count: Int) throws -> [String] {
        let names = try FileManager.default.contentsOfDirectory(atPath: path)
            .filter { $0.wholeMatch(of: Self.pattern) != nil }.sorted()
        let removed = names.dropLast(count).map { "\(path)/\($0)" }
        for file in removed { try FileManager.default.removeItem(atPath: file) }
        return removed
    }
}
