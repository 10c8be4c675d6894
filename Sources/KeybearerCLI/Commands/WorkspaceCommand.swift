import ArgumentParser
import Keybearer

/// `keybearer workspace …`: workspaces, their plan and their members.
struct WorkspaceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "workspace", abstract: "Make and look at workspaces, set their plan, manage their members.",
        subcommands: [
            Create.self, List.self, Show.self, Rename.self, SetExternalID.self, SetPlan.self, SetLimit.self,
            Suspend.self, Resume.self, Members.self, AddMember.self, RemoveMember.self, Delete.self,
        ])

    /// A workspace named by its id or by the product's.
    struct Selection: ParsableArguments {
        @Argument(help: "The workspace: its id (ws_…) or its external id (ext:…).")
        var workspace: String

        func reference() throws -> Reference<WorkspaceID> { try Self.reference(workspace) }

        static func reference(_ text: String) throws -> Reference<WorkspaceID> {
            guard let reference = Reference<WorkspaceID>(text) else {
                throw ValidationError("'\(text)' is not a workspace's id.")
            }
            return reference
        }
    }

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Make a workspace on the catalogue's first plan.")
        @OptionGroup(title: SettingOptions.title) var options: SettingOptions
        @Argument(help: "The workspace's name.") var name: String
        @Option(name: .long, help: "The Owner: id, external id (ext:…) or e-mail address.") var owner: String
        @Option(name: .customLong("external-id"), help: "What your product calls the workspace.")
        var externalID: String?
        @Flag(name: .long, help: "Print JSON.") var json = false

        func run() async throws {
            let external = try externalID.map { try UserCommand.externalID($0) }
            try await Bootstrap(options).withInstallation(usesKeys: false) { services in
                var input = WorkspaceInput()
                input.name = name
                input.owner = .id(try await services.accounts.find(owner).user.id)
                if let external { input.externalID = .set(external) }
                let workspace = try await services.writes.create(input, by: .commandLine)
                if json { return try Console.json(WorkspaceJSON(workspace)) }
                Console.output(workspace.id.rawValue)
            }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List workspaces, oldest first.")
        @OptionGroup(title: SettingOptions.title) var options: SettingOptions
        @OptionGroup(title: "Which workspaces") var filter: WorkspaceFilterOptions
        @OptionGroup var paging: PageOptions
        @Flag(name: .long, help: "Print JSON.") var json = false

        func run() async throws {
            try await Bootstrap(options).withInstallation(usesKeys: false) { services in
                let rows = try await filter.rows(paging, services)
                if json {
                    return try Console.json(rows.rows.map { WorkspaceJSON($0.workspace, members: $0.memberCount) })
                }
                Console.table(
                    ["ID", "NAME", "PLAN", "MEMBERS"],
                    rows.rows.map {
                        [
                            $0.workspace.id.rawValue, $0.workspace.name, $0.workspace.planID.rawValue,
                            "\($0.memberCount)",
                        ]
                    })
                rows.report()
            }
        }
    }

    struct AddMember: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "add-member", abstract: "Add a member, or change a member's role.")
        @OptionGroup(title: SettingOptions.title) var options: SettingOptions
        @OptionGroup var selection: Selection
        @Argument(help: "The account: id, external id (ext:…) or e-mail address.") var user: String
        @Option(name: .long, help: "owner, admin or member.") var role = "member"

        func run() async throws {
            let reference = try selection.reference()
            guard let role = Role(rawValue: role) else {
                throw ValidationError("'\(role)' is no role; --role is owner, admin or member.")
            }
            try await Bootstrap(options).withInstallation(usesKeys: false) { services in
                let id = try await services.directory.workspace(reference).workspace.id
                let account = try await services.accounts.find(user)
                try await services.workspaces.putMember(account.user.id, in: id, role: role, by: .commandLine)
                Console.report("\(account.user.label) is \(role.displayName) of \(id).")
            }
        }
    }

    struct RemoveMember: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "remove-member", abstract: "Remove a member; the key stops passing there at once.")
        @OptionGroup(title: SettingOptions.title) var options: SettingOptions
        @OptionGroup var selection: Selection
        @Argument(help: "The account: id, external id (ext:…) or e-mail address.") var user: String

        func run() async throws {
            let reference = try selection.reference()
            try await Bootstrap(options).withInstallation(usesKeys: false) { services in
                let id = try await services.directory.workspace(reference).workspace.id
                let account = try await services.accounts.find(user)
                try await services.workspaces.removeMember(account.user.id, from: id, by: .commandLine)
                Console.report("\(account.user.label) is no longer a member of \(id).")
            }
        }
    }
}
