import ArgumentParser
import Keybearer

/// `keybearer migrate`: everything of one database in another one, of either engine.
struct MigrateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate",
        abstract: "Move everything from one database to an empty one: SQLite to PostgreSQL, or back.",
        discussion: """
            Refuses while a server runs on either. From its start on nothing can be written to the old database, and when
            it is done every command refuses the old one and says where the data is. The copy is one transaction of the
            target, verified by counts and digests before it is kept. After an interruption run the same command again: it
            finishes. Keys, passwords, sessions and the hours that accounts have used go on as they were; the master-key
            file is the same.
            """)

    @OptionGroup(title: SettingOptions.title) var options: SettingOptions
    @Option(name: .long, help: "The database to move: sqlite:PATH or a connection string.") var from: String
    @Option(name: .long, help: "The empty database to fill: sqlite:PATH or a connection string.") var to: String
    @Flag(name: .long, help: "Take an interrupted move back, so that the old database can be used again.")
    var undo = false

    func run() async throws {
        let move = DatabaseMove(
            bootstrap: try await Bootstrap(options), from: try Self.location(from, "--from"),
            to: try Self.location(to, "--to"))
        if undo { try move.undo() } else { try await move.run() }
    }

    private static func location(_ text: String, _ option: String) throws -> DatabaseLocation {
        guard let location = DatabaseLocation(text) else {
            throw ValidationError("\(option) wants sqlite: and a path, or a connection string of PostgreSQL.")
        }
        return location
    }
}
