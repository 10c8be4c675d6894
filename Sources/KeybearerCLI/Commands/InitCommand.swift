import ArgumentParser
import Foundation
import Keybearer
import KeybearerSQL
import KeybearerSQLite
import KeybearerServer

/// `keybearer init`: the database, the master-key file and the first operator.
struct InitCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init",
        abstract: "Make the database, the master-key file (mode 0600) and the first operator's account.",
        discussion: """
            What is there already is kept, so it can be run again. Without a flag for the password, it asks for
            confirmation and for a password. Without a terminal it then fails and makes nothing.
            """)

    @OptionGroup(title: SettingOptions.title) var options: SettingOptions
    @OptionGroup var password: PasswordInput

    @Option(name: .long, help: "The first operator's e-mail address.")
    var email: String

    @Option(name: .long, help: "The first operator's name.")
    var name = "Operator"

    @Flag(name: .long, help: "Do not ask for confirmation; the password is still asked for.")
    var yes = false

    func run() async throws {
        let bootstrap = try await Bootstrap(options)
        let file = bootstrap.masterKeyFile
        let hasKeys = file.isThere
        let database = bootstrap.settings.database
        let hasDatabase = try bootstrap.isThere(database)
        if hasDatabase && !hasKeys { try await Self.requireNewDatabase(bootstrap) }
        if hasDatabase && hasKeys, try await leavesAll(bootstrap) { return }
        // Before anything is made: what is missing or refused leaves nothing behind. Nobody is asked in vain.
        try AccountService.check(name: name, email: email)
        try confirm(bootstrap, hasKeys: hasKeys, hasDatabase: hasDatabase)
        let chosen = try password.read()
        try AccountService.check(name: name, email: email, password: chosen.password)
        if hasKeys {
            _ = try file.load()
        } else {
            // What fails more often comes first: a database that cannot be made leaves no master keys behind.
            try bootstrap.openStore(.commandLine, creating: true).close()
            try file.save(try MasterKeyRing.generate(from: .system), replacing: false)
            Console.report("Made the master-key file \(file.path). Back it up apart from the database.")
        }
        try await Self.claim(bootstrap, madeKeys: !hasKeys)
        if hasKeys { Console.report("The master-key file \(file.path) exists; it is kept.") }
        Console.report(hasDatabase ? "The database \(database) exists; it is kept." : "Made the database \(database).")
        try await bootstrap.withInstallation { services in
            let account = try await services.accounts.create(
                name: name, email: email, password: chosen.password, isOperator: true, by: .commandLine)
            chosen.announce()
            Console.report("Made the operator's account \(account.user.email) (\(account.user.id)).")
        }
        Console.report("Start the server with: keybearer serve")
        if let url = bootstrap.settings.server.publicURL { Console.report("Then sign in at \(url)/sign-in") }
    }

    /// Whether the account is there as well; if so, prints that everything is kept.
    private func leavesAll(_ bootstrap: Bootstrap) async throws -> Bool {
        try await bootstrap.withInstallation { services in
            let account: Account
            do {
                account = try await services.accounts.find(email)
            } catch let error as KeybearerError where error.code == .notFound {
                return false
            }
            Console.report("The master-key file \(bootstrap.masterKeyFile.path) exists; it is kept.")
            Console.report("The database \(bootstrap.settings.database) exists; it is kept.")
            Console.report("The account \(account.user.email) (\(account.user.id)) exists; its password is kept.")
            return true
        }
    }

    /// Asks for confirmation on a terminal. `--yes`, and flags that say where the password comes from, skip it.
    private func confirm(_ bootstrap: Bootstrap, hasKeys: Bool, hasDatabase: Bool) throws {
        if yes || password.isChosen { return }
        guard password.isInteractive else {
            throw ValidationError(
                "nothing was made: without a terminal, name where the password comes from with --password-stdin or "
                    + "--generate-password")
        }
        Console.report("This makes:")
        if !hasKeys { Console.report("  the master-key file \(bootstrap.masterKeyFile.path)") }
        if !hasDatabase { Console.report("  the database \(bootstrap.settings.database)") }
        Console.report("  the operator's account \(email)")
        Console.report("Go on? [y/N]")
        guard ["y", "yes"].contains((readLine() ?? "").trimmingCharacters(in: .whitespaces).lowercased()) else {
            throw CommandFailure(.dataError, "nothing was made")
        }
    }

    /// Refuses a database that has master keys when there is no file with them: new ones would open nothing in it.
    private static func requireNewDatabase(_ bootstrap: Bootstrap) async throws {
        let store = try bootstrap.openStore(.commandLine)
        defer { try? store.close() }
        let ids = try await store.masterKeys().filter(\.isInUse).map(\.id.rawValue)
        if ids.isEmpty { return }
        throw CommandFailure(
            .cannotCreate,
            "there is a database at \(bootstrap.settings.database) but no master-key file at "
                + "\(bootstrap.masterKeyFile.path): restore the file with \(ids.joined(separator: ", ")), for new master "
                + "keys cannot open the keys in that database")
    }

    /// Makes the database, and records the master keys at hand as its own. If it has others already, the master-key
    /// file that this command made is removed again.
    private static func claim(_ bootstrap: Bootstrap, madeKeys: Bool) async throws {
        let store = try bootstrap.openStore(.commandLine, creating: true)
        defer { try? store.close() }
        let services = try bootstrap.makeServices(store: store, role: .command)
        do {
            try await services.ring.require(.claim)
        } catch let refusal as RingRefusal {
            let file = bootstrap.masterKeyFile
            if madeKeys { try? FileManager.default.removeItem(atPath: file.path) }
            throw CommandFailure(
                ringRefusal: refusal, file: file,
                madeKeys ? ", and that file, which this command had made, was removed" : "")
        }
    }
}
