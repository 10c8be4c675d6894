import ArgumentParser
import Foundation
import Keybearer
import KeybearerSQL

/// `keybearer migrate`: everything of one database in another one, of either engine.
struct MigrateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate",
        abstract: "Copy everything from one database to an empty one: SQLite to PostgreSQL, or back.",
        discussion: """
            Refuses while a server runs on either. The copy is one transaction of the target, verified by counts and
            digests before it is kept: an interrupted one leaves nothing and is run again. Keys, passwords, sessions and
            the hours that accounts have used go on as they were; the master-key file is the same.
            """)

    @OptionGroup var options: SettingOptions
    @Option(name: .long, help: "The database to copy: sqlite:PATH or postgres://….") var from: String
    @Option(name: .long, help: "The empty database to fill: sqlite:PATH or postgres://….") var to: String

    func run() async throws {
        let assembly = try await Assembly(options)
        let source = try assembly.openStore(try Self.location(from, "--from"), .commandLine)
        defer { try? source.close() }
        try await assembly.requireRing(of: source)
        let destination = try Self.location(to, "--to")
        let target = try assembly.openStore(destination, .commandLine, creating: true)
        defer { try? target.close() }
        try await NodeSurvey.requireNone(on: source)
        try await NodeSurvey.requireNone(on: target)
        let bar = ProgressBar()
        let transfer = Transfer { progress in
            bar.show(
                "\(progress.step.rawValue) \(progress.table)", done: progress.done, total: progress.total)
        }
        let audit = AuditEvent(
            id: .random(from: .system), at: Clocks.system.wall(), actor: .commandLine, action: .storeMoved)
        let mark = String(decoding: RandomSource.system.base62(count: 22), as: UTF8.self)
        let report = try transfer.run(from: source, to: target, mark: mark, audit: audit)
        bar.end()
        Console.table(["TABLE", "ROWS"], report.rows.map { [$0.table, "\($0.count)"] })
        Console.note("Copied, and verified by counts and digests.")
        assembly.noteChange(of: destination)
        Console.note("Warning: never serve the old database again: a key that is regenerated here lives on there.")
    }

    private static func location(_ text: String, _ option: String) throws -> DatabaseLocation {
        guard let location = DatabaseLocation(text) else {
            throw ValidationError("\(option) wants sqlite: and a path, or postgres:// with a host and a name.")
        }
        return location
    }
}
