import ArgumentParser
import Keybearer

/// `keybearer operator-token …`: credentials for the operator's own programs.
struct OperatorTokenCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "operator-token",
        abstract: "Make, list and revoke credentials for programs that ask about keys.",
        subcommands: [Create.self, List.self, Revoke.self])

    private static let scopes = OperatorScope.allCases.sorted().map(\.rawValue).joined(separator: ", ")

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a token and print it: it is shown this once.")
        @OptionGroup(title: SettingOptions.title) var options: SettingOptions
        @Argument(help: "What people call it: which program holds it.") var name: String
        @Option(
            name: .long,
            help: "What it is good for; give it once for each. These are: \(OperatorTokenCommand.scopes).")
        var scope: [String] = ["introspect"]
        @Option(name: .long, help: "After how many days it ends by itself. Without it: never.") var days: Int?
        @Flag(name: .long, help: "Print JSON.") var json = false

        func run() async throws {
            let scopes = try scope.map { text in
                guard let scope = OperatorScope(rawValue: text) else {
                    throw ValidationError("'\(text)' is no scope; these are: \(OperatorTokenCommand.scopes)")
                }
                return scope
            }
            if let days, !(1...3_650).contains(days) { throw ValidationError("--days must be 1 to 3,650") }
            try await Bootstrap(options).withInstallation { services in
                let (token, secret) = try await services.operatorTokens.create(
                    name: name, scopes: Set(scopes), lifetime: days.map { .seconds($0 * 86_400) }, by: .commandLine)
                if json { return try Console.json(OperatorTokenJSON(token, secret: secret)) }
                Console.report("\(token.id) for \(token.name). Keep the token: it is not shown again.")
                Console.output(secret.characters)
            }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List tokens, oldest first.")
        @OptionGroup(title: SettingOptions.title) var options: SettingOptions
        @Flag(name: .long, help: "Print JSON.") var json = false

        func run() async throws {
            try await Bootstrap(options).withInstallation(usesKeys: false) { services in
                let tokens = try await services.operatorTokens.list()
                if json { return try Console.json(tokens.map { OperatorTokenJSON($0) }) }
                Console.table(
                    ["ID", "NAME", "PREFIX", "SCOPES", "CREATED", "EXPIRES", "LAST USED"],
                    tokens.map {
                        [
                            $0.id.rawValue, $0.name, $0.shownPrefix ?? "-",
                            $0.scopes.sorted().map(\.rawValue).joined(separator: " "), $0.createdAt.description,
                            $0.expiresAt?.description ?? "never",
                            $0.lastUse.map { "\($0.at) from \($0.address.displayName)" } ?? "never",
                        ]
                    })
            }
        }
    }

    struct Revoke: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Take a token away, at once.")
        @OptionGroup(title: SettingOptions.title) var options: SettingOptions
        @Argument(help: "The token's id (opt_…).") var id: String

        func run() async throws {
            guard let id = OperatorTokenID(parsing: id) else {
                throw ValidationError("'\(self.id)' is not a token's id.")
            }
            try await Bootstrap(options).withInstallation(usesKeys: false) { services in
                try await services.operatorTokens.revoke(id, by: .commandLine)
                Console.report("Revoked \(id).")
            }
        }
    }
}
