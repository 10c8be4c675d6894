import ArgumentParser
import KeybearerSQL
import KeybearerSQLite

/// `keybearer backup`: one state of the database in a new file, while servers run.
struct BackupCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup", abstract: "Copy the database into a new file, while servers run.",
        discussion: "The Secret Keys in it are sealed. Back up the master-key file too, apart from it.")

    @OptionGroup(title: SettingOptions.title) var options: SettingOptions
    @Argument(help: "The new file.") var file: String

    func run() async throws {
        let (store, database) = try await Bootstrap(options).openFile(instead: "pg_dump or its physical backups")
        defer { try? store.close() }
        try database.backUp(to: file)
        Console.report("Wrote \(file). It is of use only with the master keys of today.")
    }
}
