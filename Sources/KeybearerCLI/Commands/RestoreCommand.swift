import ArgumentParser
import Keybearer
import KeybearerSQLite

/// `keybearer restore`: a backup in the place of the database, when no server runs.
struct RestoreCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore", abstract: "Put a backup in the place of the database. Refuses while a server runs.",
        discussion: "Keys that were regenerated after the backup was made live again in their old form.")

    @OptionGroup var options: SettingOptions
    @Argument(help: "The backup.") var file: String
    @Flag(name: .long, help: "Do it. Without this flag nothing is restored.") var yes = false

    func run() async throws {
        guard yes else {
            throw CommandFailure(
                .dataError,
                "this replaces the whole database, and keys regenerated since the backup live again in their old form; "
                    + "add --yes to do it")
        }
        let assembly = try await Assembly(options)
        let store = try assembly.openStore(.commandLine, creating: true)
        defer { try? store.close() }
        try await Self.refuseWhileLeasesLive(store)
        let clocks = Clocks.system
        _ = try store.restore(
            from: file,
            audit: AuditEvent(
                id: .random(from: .system), at: clocks.wall(), actor: .commandLine, action: .storeRestored))
        Console.note("Restored. All sessions have ended.")
        Console.note("Warning: keys that were regenerated since the backup live again in their old form.")
        Console.note("Regenerate every key that was replaced because it leaked.")
    }

    /// Waits one lease for each registered node to show that it lives. One that crashed renews nothing.
    private static func refuseWhileLeasesLive(_ store: SQLiteStore) async throws {
        let before = try await store.nodes()
        guard let longest = before.map(\.lease).max() else { return }
        Console.note("Making sure that no server runs…")
        try await Task.sleep(for: longest * 1.05)
        let after = try await store.nodes()
        let isAlive = after.contains { node in
            before.first { $0.id == node.id }.map { $0.renewals != node.renewals } ?? true
        }
        if isAlive {
            throw CommandFailure(.temporary, "a server runs on this database; stop it first")
        }
    }
}
