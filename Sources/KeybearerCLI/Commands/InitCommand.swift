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
        if hasDatabase && !hasKeys {
            throw CommandFailure(
                .cannotCreate,
                "there is a database at \(database) but no master-key file at \(file.path): "
                    + "restore the file, for new master keys cannot open the keys in that database")
        }
        if hasKeys {
            _ = try file.load()
        } else {
            try file.save(try MasterKeyRing.generate(from: .system), replacing: false)
            Console.note("Made the master-key file \(file.path). Back it up apart from the database.")
        }
        try assembly.openStore(.commandLine, creating: true).close()
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
}
