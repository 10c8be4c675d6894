import ArgumentParser
import Keybearer
import KeybearerServer

/// `keybearer service-account …`: members of a workspace that are not people.
struct ServiceAccountCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "service-account", abstract: "Make, list and delete service accounts.",
        discussion: """
            A service account is a member of one workspace that is not a person, with a Secret Key of its own. The
            commands 'user' and 'key' work on one by its id or its external id.
            """,
        subcommands: [Create.self, List.self, Delete.self])

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a service account with its Secret Key.")
        @OptionGroup(title: SettingOptions.title) var options: SettingOptions
        @OptionGroup var selection: WorkspaceCommand.Selection
        @Option(name: .long, help: "What it is called, such as Production.") var name: String
        @Option(name: .customLong("external-id"), help: "What your product calls it.") var externalID: String?
        @Flag(name: .long, help: "Print JSON.") var json = false

        func run() async throws {
            let external = try externalID.map { try UserCommand.externalID($0) }
            let workspace = try selection.reference()
            try await Bootstrap(options).withInstallation { services in
                let account = try await services.writes.createServiceAccount(
                    name: name, externalID: external, in: workspace, by: .commandLine)
                if json { return try Console.json(UserJSON(account)) }
                Console.output(account.user.id.rawValue)
                Console.report(
                    "Made the service account \(account.user.name). Its key: keybearer key show \(account.user.id)")
            }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the service accounts of a workspace, oldest first.")
        @OptionGroup(title: SettingOptions.title) var options: SettingOptions
        @OptionGroup var selection: WorkspaceCommand.Selection
        @Flag(name: .long, help: "Print JSON.") var json = false

        func run() async throws {
            let reference = try selection.reference()
            try await Bootstrap(options).withInstallation(usesKeys: false) { services in
                let workspace = try await services.directory.workspace(reference).workspace
                let accounts = try await services.serviceAccounts.list(of: workspace.id)
                if json { return try Console.json(accounts.map { UserJSON($0) }) }
                Console.table(
                    ["ID", "NAME", "STATUS", "KEY", "LAST USED"],
                    accounts.map { account in
                        [
                            account.user.id.rawValue, account.user.name, account.user.status.rawValue,
                            account.key.shownPrefix, account.key.lastUse?.at.description ?? "never",
                        ]
                    })
                Console.report("\(accounts.count) in \(workspace.name)")
            }
        }
    }

    struct Delete: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Delete a service account: its key is refused when the command ends.")
        @OptionGroup(title: SettingOptions.title) var options: SettingOptions
        @Argument(help: "The service account: its id (usr_…) or its external id (ext:…).") var account: String
        @Flag(name: .long, help: "Do it. Without this flag nothing is deleted.") var yes = false

        func run() async throws {
            try await Bootstrap(options).withInstallation(usesKeys: false) { services in
                let found = try await services.accounts.find(account).user
                guard found.kind == .service else {
                    throw CommandFailure(.dataError, "this is a person's account; use 'keybearer user delete'")
                }
                guard yes else {
                    throw CommandFailure(
                        .dataError, "this deletes \(found.id) (\(found.name)) for good; add --yes to do it")
                }
                try await services.accounts.delete(found.id, by: .commandLine)
                Console.report("Deleted \(found.name).")
            }
        }
    }
}
