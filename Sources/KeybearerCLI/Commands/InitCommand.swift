import ArgumentParser
import Foundation
import Keybearer
import KeybearerSQL
import KeybearerSQLite

/// `keybearer init`: the database, the master-key file and the first operator.
struct InitCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init",
        abstract: "Make the database, the master-key file (mode 0600) and the first operator's account.",
        discussion: "Can be run again after an interruption: what is there already is kept.")

    @OptionGroup var options: SettingOptions
    @OptionGroup var password: PasswordInput

    @Option(name: .long, help: "The first operator's e-mail address.")
    var email: String

    @Option(name: .long, help: "The first operator's name.")
    var name = "Operator"

    func run() async throws {
        let assembly = try await Assembly(options)
        let file = assembly.masterKeyFile
        let hasKeys = FileManager.default.fileExists(atPath: file.path)
        let database = assembly.settings.database
        let hasDatabase = try assembly.isThere(database)
        if hasDatabase && !hasKeys { try await Self.requireNewDatabase(assembly) }
        if hasKeys {
            _ = try file.load()
        } else {
            try file.save(try MasterKeyRing.generate(from: .system), replacing: false)
            Console.note("Made the master-key file \(file.path). Back it up apart from the database.")
        }
        try await Self.claim(assembly, madeKeys: !hasKeys)
        if !hasDatabase { Console.note("Made the database \(database).") }
        let chosen = try password.read()
        try await assembly.withDeployment { deployment in
            let account = try await deployment.accounts.create(
                name: name, email: email, password: chosen.password, isOperator: true, by: .commandLine)
            chosen.announce()
            Console.note("Made the operator's account \(account.user.email) (\(account.user.id)).")
        }
        Console.note("Start the server with: keybearer serve")
    }

    /// Refuses a database that has master keys when there is no file with them: new ones would open nothing in it.
    private static func requireNewDatabase(_ assembly: Assembly) async throws {
        let store = try assembly.openStore(.commandLine)
        defer { try? store.close() }
        let ids = try await store.masterKeys().filter(\.isInUse).map(\.id.rawValue)
        if ids.isEmpty { return }
        throw CommandFailure(
            .cannotCreate,
            "there is a database at \(assembly.settings.database) but no master-key file at "
                + "\(assembly.masterKeyFile.path): restore the file with \(ids.joined(separator: ", ")), for new master "
                + "keys cannot open the keys in that database")
    }

    /// Makes the database, and the master keys at hand its own. Whoever comes second takes its own new file away.
    private static func claim(_ assembly: Assembly, madeKeys: Bool) async throws {
        let store = try assembly.openStore(.commandLine, creating: true)
        defer { try? store.close() }
        let deployment = try assembly.makeDeployment(store: store, role: .command)
        do {
            try await deployment.ring.require(.claim)
        } catch let refusal as RingRefusal {
            let file = assembly.masterKeyFile
            if madeKeys { try? FileManager.default.removeItem(atPath: file.path) }
            throw CommandFailure(
                ringRefusal: refusal, file: file,
                madeKeys ? ", and that file, which this command had made, was removed" : "")
        }
    }
}
