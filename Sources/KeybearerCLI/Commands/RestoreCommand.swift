import ArgumentParser
import Keybearer
import KeybearerSQL
import KeybearerSQLite

/// `keybearer restore`: a backup in the place of the database, when no server runs.
struct RestoreCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore", abstract: "Put a backup in the place of the database. Refuses while a server runs.",
        discussion: "Keys that were regenerated after the backup was made live again in their old form.")

    @OptionGroup(title: SettingOptions.title) var options: SettingOptions
    @Argument(help: "The backup.") var file: String
    @Option(help: "The file of the private key, for an encrypted backup.") var identity: String?
    @Flag(name: .long, help: "Do it. Without this flag nothing is restored.") var yes = false

    func run() async throws {
        guard yes else {
            throw CommandFailure(
                .dataError,
                "this replaces the whole database, and keys regenerated since the backup live again in their old form; "
                    + "add --yes to do it")
        }
        let bootstrap = try await Bootstrap(options)
        guard case .sqlite(let database) = bootstrap.settings.database else {
            throw CommandFailure(
                .dataError, "this is for the embedded database; for PostgreSQL use pg_restore or its physical backups")
        }
        try await BackupFile(path: file).withOpened(identity: identity, beside: database) {
            try await restore($0, bootstrap)
        }
    }

    private func restore(_ file: String, _ bootstrap: Bootstrap) async throws {
        try await bootstrap.requireRing(ofBackup: file)
        let (store, database) = try bootstrap.openFile(instead: "pg_restore or its physical backups", creating: true)
        defer { try? store.close() }
        try await RunningNodes.requireNone(on: store)
        let clocks = Clocks.system
        _ = try database.restore(
            from: file,
            audit: AuditEvent(
                id: .random(from: .system), at: clocks.wall(), actor: .commandLine, action: .storeRestored))
        Console.report("Restored. All sessions have ended.")
        bootstrap.reportChange(of: bootstrap.settings.database)
        Console.report("Warning: keys that were regenerated since the backup live again in their old form.")
        Console.report("Regenerate every key that was replaced because it leaked.")
    }
}
