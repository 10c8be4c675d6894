import ArgumentParser
import Keybearer
import KeybearerServer

/// `keybearer key …`: the Secret Key of an account.
struct KeyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "key", abstract: "Show or regenerate an account's Secret Key.",
        subcommands: [Show.self, Regenerate.self, LookUp.self, History.self])

    struct LookUp: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "lookup", abstract: "Find whose a key is. It is read from standard input, one line.",
            discussion: "Nothing is counted, and \"Last used\" stays as it is.")
        @OptionGroup(title: SettingOptions.title) var options: SettingOptions
        @Flag(name: .long, help: "Print JSON.") var json = false

        func run() async throws {
            // Never from an argument: others on the machine can read those.
            guard let token = readLine(strippingNewline: true), !token.isEmpty else {
                throw CommandFailure(.noInput, "standard input has no key on its first line")
            }
            try await Bootstrap(options).withInstallation { services in
                let owner = KeyOwnerJSON(try await services.directory.owner(of: token))
                if json { return try Console.json(owner) }
                Console.output(owner.userId)
                Console.report(owner.sentence)
            }
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print the key to standard output and its record to standard error. Audited.")
        @OptionGroup(title: SettingOptions.title) var options: SettingOptions
        @OptionGroup var selection: UserCommand.Selection
        @Flag(name: .long, help: "Leave the key out and print only its record.") var metadata = false
        @Flag(name: .long, help: "Print JSON.") var json = false

        func run() async throws {
            try await Bootstrap(options).withInstallation { services in
                let account = try await services.accounts.find(selection.user)
                let secret =
                    metadata ? nil : try await services.keys.reveal(account.user.id, by: .commandLine)
                let record = try await services.keys.metadata(of: account.user.id)
                try KeyCommand.print(record, secret: secret, json: json)
            }
        }
    }

    struct Regenerate: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Put a new key in the old one's place and print it.",
            discussion: "When the command ends, no running server accepts the old key any more.")
        @OptionGroup(title: SettingOptions.title) var options: SettingOptions
        @OptionGroup var selection: UserCommand.Selection
        @Option(name: .long, help: "Running the command again with the same key makes no second change.")
        var idempotencyKey: String?
        @Flag(name: .long, help: "Print JSON.") var json = false

        func run() async throws {
            try await Bootstrap(options).withInstallation { services in
                let account = try await services.accounts.find(selection.user)
                let (secret, record) = try await services.keys.regenerate(
                    account.user.id, idempotencyKey: idempotencyKey, by: .commandLine)
                try KeyCommand.print(record, secret: secret, json: json)
                Console.report("The old key no longer works.")
            }
        }
    }

    static func print(_ record: APIKey, secret: SecretKey?, json: Bool) throws {
        if json { return try Console.json(KeyJSON(record, secret: secret)) }
        let details = [
            "Prefix     \(record.shownPrefix)", "Generated  \(record.generatedAt)",
            "Last used  \(record.lastUse.map { "\($0.at) from \($0.address.displayName)" } ?? "never")",
        ]
        if let secret {
            Console.output(secret.characters)
            for line in details { Console.report(line) }
        } else {
            for line in details { Console.output(line) }
        }
    }
}
