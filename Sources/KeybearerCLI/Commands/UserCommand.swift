import ArgumentParser
import Keybearer
import KeybearerServer

/// `keybearer user …`: accounts.
struct UserCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "user", abstract: "Make, look at and change accounts.",
        subcommands: [
            Create.self, Import.self, List.self, Show.self, Rename.self, SetEmail.self, SetExternalID.self,
            SetPassword.self, ResetTOTP.self, SetLimit.self, SetNetworks.self, ResetQuota.self, EndSessions.self,
            Disable.self,
            Enable.self, Export.self,
            Delete.self,
        ])

    /// An account named by its id or its address.
    struct Selection: ParsableArguments {
        @Argument(help: "The account: its id (usr_…), its external id (ext:…) or its e-mail address.")
        var user: String
    }

    /// A kind of account, as a flag has it.
    enum Kind: String, ExpressibleByArgument, CaseIterable {
        case person, service

        var kind: User.Kind { self == .person ? .person : .service }
    }

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make an account with its Secret Key and a workspace of its own.")
        @OptionGroup(title: SettingOptions.title) var options: SettingOptions
        @OptionGroup var password: PasswordInput
        @Argument(help: "The e-mail address.") var email: String
        @Option(name: .long, help: "The person's name.") var name: String
        @Option(name: .customLong("external-id"), help: "What your product calls the person.")
        var externalID: String?
        @Flag(name: .long, help: "Without a password: your product signs the person in.") var noPassword = false
        @Flag(name: .long, help: "Mark the account as one of those who run Keybearer.") var `operator` = false
        @Flag(name: .long, help: "Print JSON.") var json = false

        func validate() throws {
            guard noPassword else { return }
            if password.isChosen { throw ValidationError("Use --no-password or a flag that says where a password is.") }
            if `operator` { throw ValidationError("Whoever runs Keybearer needs a password.") }
        }

        func run() async throws {
            let external = try externalID.map { try UserCommand.externalID($0) }
            let chosen = noPassword ? nil : try password.read()
            try await Bootstrap(options).withInstallation { services in
                guard let chosen else { return try await createWithout(services, external) }
                var account = try await services.accounts.create(
                    name: name, email: email, password: chosen.password, isOperator: `operator`, by: .commandLine)
                if let external {
                    account = try await UserCommand.change(account, services) { $0.externalID = .set(external) }
                }
                if json { return try Console.json(NewUserJSON(user: UserJSON(account), password: chosen.generated)) }
                chosen.announce()
                Console.output(account.user.id.rawValue)
                Self.report(account)
            }
        }

        private func createWithout(_ services: Services, _ external: ExternalID?) async throws {
            var input = UserInput()
            (input.name, input.email) = (name, email)
            if let external { input.externalID = .set(external) }
            let account = try await services.writes.create(input, by: .commandLine)
            if json { return try Console.json(UserJSON(account)) }
            Console.output(account.user.id.rawValue)
            Self.report(account)
        }

        private static func report(_ account: Account) {
            Console.report("Made the account \(account.user.label). Its key: keybearer key show \(account.user.id)")
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List accounts, oldest first.")
        @OptionGroup(title: SettingOptions.title) var options: SettingOptions
        @OptionGroup(title: "Which accounts") var filter: UserFilterOptions
        @OptionGroup var paging: PageOptions
        @Flag(name: .long, help: "Print JSON.") var json = false

        func run() async throws {
            try await Bootstrap(options).withInstallation(usesKeys: false) { services in
                let accounts = try await filter.rows(paging, services)
                if json { return try Console.json(accounts.rows.map { UserJSON($0) }) }
                Console.table(
                    ["ID", "EMAIL", "NAME", "STATUS", "KEY", "LAST USED"],
                    accounts.rows.map { account in
                        [
                            account.user.id.rawValue, account.user.address?.rawValue ?? "-", account.user.name,
                            account.user.status.rawValue, account.key.shownPrefix,
                            account.key.lastUse?.at.description ?? "never",
                        ]
                    })
                accounts.report()
            }
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show an account, without its key.")
        @OptionGroup(title: SettingOptions.title) var options: SettingOptions
        @OptionGroup var selection: Selection
        @Flag(name: .long, help: "Print JSON.") var json = false

        func run() async throws {
            try await Bootstrap(options).withInstallation(usesKeys: false) { services in
                let account = try await services.accounts.find(selection.user)
                if json { return try Console.json(UserJSON(account)) }
                Console.table(
                    ["FIELD", "VALUE"],
                    [
                        ["id", account.user.id.rawValue],
                        ["external id", account.user.externalID?.rawValue ?? "none"],
                        ["kind", account.user.kind.rawValue],
                        ["email", account.user.address?.rawValue ?? "none"],
                        ["email verified", account.user.isEmailVerified ? "yes" : "no"],
                        ["name", account.user.name], ["status", account.user.status.rawValue],
                        ["password", account.user.hasPassword ? "yes" : "no"],
                        ["hourly limit", LimitOverride.describe(account.user.limit)],
                        ["networks", account.user.allowedNetworks?.texts.joined(separator: " ") ?? "all"],
                        ["operator", account.user.isOperator ? "yes" : "no"],
                        ["created", account.user.createdAt.description],
                        ["key prefix", account.key.shownPrefix],
                        ["key generated", account.key.generatedAt.description],
                        [
                            "key last used",
                            account.key.lastUse.map { "\($0.at) from \($0.address.displayName)" } ?? "never",
                        ],
                    ]
                        + account.workspaces.map {
                            [
                                "workspace",
                                "\($0.workspace.id) \($0.workspace.name) (\($0.role.rawValue), \($0.plan.id))",
                            ]
                        })
            }
        }
    }

    struct SetPassword: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "set-password", abstract: "Set an account's password; its sessions end.")
        @OptionGroup(title: SettingOptions.title) var options: SettingOptions
        @OptionGroup var selection: Selection
        @OptionGroup var password: PasswordInput

        func run() async throws {
            let chosen = try password.read()
            try await Bootstrap(options).withInstallation(usesKeys: false) { services in
                let account = try await services.accounts.find(selection.user)
                try await services.accounts.setPassword(of: account.user, to: chosen.password, by: .commandLine)
                chosen.announce()
                Console.report("The password is set and all sessions have ended.")
            }
        }
    }

    struct Disable: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Disable an account: its key is refused and its sessions end.")
        @OptionGroup(title: SettingOptions.title) var options: SettingOptions
        @OptionGroup var selection: Selection

        func run() async throws {
            try await Bootstrap(options).withInstallation(usesKeys: false) { services in
                let account = try await services.accounts.find(selection.user)
                try await services.accounts.setStatus(.disabled, of: account.user.id, by: .commandLine)
                Console.report("Disabled \(account.user.label): its key is refused from now on.")
            }
        }
    }

    struct Enable: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Enable an account again; its key passes again.")
        @OptionGroup(title: SettingOptions.title) var options: SettingOptions
        @OptionGroup var selection: Selection

        func run() async throws {
            try await Bootstrap(options).withInstallation(usesKeys: false) { services in
                let account = try await services.accounts.find(selection.user)
                try await services.accounts.setStatus(.active, of: account.user.id, by: .commandLine)
                Console.report("Enabled \(account.user.label): the key it had passes again.")
            }
        }
    }
}
