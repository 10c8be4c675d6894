import ArgumentParser
import Keybearer
import KeybearerServer

/// The commands that show all of a person's data, and delete it.
extension UserCommand {
    struct Export: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print all that is kept about a person as JSON, without secrets.",
            discussion: "Of the audit log, the newest 10,000 events are printed.")
        @OptionGroup(title: SettingOptions.title) var options: SettingOptions
        @OptionGroup var selection: Selection

        func run() async throws {
            try await Bootstrap(options).withInstallation(usesKeys: false) { services in
                let account = try await services.accounts.find(selection.user)
                try Console.json(PersonalDataJSON(try await services.directory.personalData(of: account.user.id)))
            }
        }
    }

    struct Delete: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Delete an account, its key, and the workspaces that have no other member.",
            discussion: """
                The audit log keeps what was done, by the account's id; addresses of the person are erased there.
                """)
        @OptionGroup(title: SettingOptions.title) var options: SettingOptions
        @OptionGroup var selection: Selection
        @Option(
            name: .customLong("transfer-to"),
            help: "Who becomes Owner of workspaces with other members: id, external id (ext:…) or e-mail address.")
        var successor: String?
        @Flag(name: .long, help: "Delete workspaces with other members, where no other member is an Owner.")
        var deleteWorkspaces = false
        @Flag(name: .long, help: "Do it. Without this flag nothing is deleted.") var yes = false

        func validate() throws {
            if successor != nil, deleteWorkspaces {
                throw ValidationError("Use --transfer-to or --delete-workspaces, and not both.")
            }
        }

        func run() async throws {
            try await Bootstrap(options).withInstallation(usesKeys: false) { services in
                let account = try await services.accounts.find(selection.user)
                guard yes else {
                    throw CommandFailure(
                        .dataError, "this deletes \(account.user.label) for good; add --yes to do it")
                }
                var owner: UserID?
                if let successor { owner = try await services.accounts.find(successor).user.id }
                try await services.accounts.delete(
                    account.user.id, successor: owner, deletesWorkspaces: deleteWorkspaces, by: .commandLine)
                Console.report("Deleted \(account.user.label).")
            }
        }
    }
}
