import ArgumentParser
import Keybearer
import KeybearerServer

/// The commands that show a workspace and change its record, as the operator API does.
extension WorkspaceCommand {
    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show a workspace.")
        @OptionGroup(title: SettingOptions.title) var options: SettingOptions
        @OptionGroup var selection: Selection
        @Flag(name: .long, help: "Print JSON.") var json = false

        func run() async throws {
            let reference = try selection.reference()
            try await Bootstrap(options).withInstallation(usesKeys: false) { services in
                let (workspace, plan) = try await services.directory.workspace(reference)
                if json { return try Console.json(WorkspaceRecordJSON(workspace, plan: plan)) }
                Console.table(
                    ["FIELD", "VALUE"],
                    [
                        ["id", workspace.id.rawValue], ["external id", workspace.externalID?.rawValue ?? "none"],
                        ["name", workspace.name],
                        [
                            "plan",
                            plan.id.rawValue
                                + (workspace.planEnd.map { " until \($0.at), then \($0.nextPlanID)" } ?? ""),
                        ],
                        ["hourly limit", LimitOverride.describe(workspace.limit)],
                        ["suspended", workspace.isSuspended ? "yes" : "no"],
                        ["created", workspace.createdAt.description],
                    ])
            }
        }
    }

    struct Rename: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Change what a workspace is called.")
        @OptionGroup(title: SettingOptions.title) var options: SettingOptions
        @OptionGroup var selection: Selection
        @Argument(help: "The new name.") var name: String

        func run() async throws {
            let reference = try selection.reference()
            try await Bootstrap(options).withInstallation(usesKeys: false) { services in
                var input = WorkspaceInput()
                input.name = name
                let workspace = try await services.writes.patch(reference, input, by: .commandLine)
                Console.report("\(workspace.id) is called \(workspace.name).")
            }
        }
    }

    struct SetExternalID: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "set-external-id", abstract: "Change what your product calls a workspace.")
        @OptionGroup(title: SettingOptions.title) var options: SettingOptions
        @OptionGroup var selection: Selection
        @Argument(help: "The new external id; leave it out to have none.") var externalID: String?

        func run() async throws {
            let reference = try selection.reference()
            var input = WorkspaceInput()
            input.externalID = try externalID.map { .set(try UserCommand.externalID($0)) } ?? .cleared
            try await Bootstrap(options).withInstallation(usesKeys: false) { [input] services in
                let workspace = try await services.writes.patch(reference, input, by: .commandLine)
                Console.report(
                    "\(workspace.id) is \(workspace.name)"
                        + (workspace.externalID.map { ", \($0) in your product." } ?? "."))
            }
        }
    }

    struct Suspend: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Suspend a workspace: no key passes there when the command ends.")
        @OptionGroup(title: SettingOptions.title) var options: SettingOptions
        @OptionGroup var selection: Selection

        func run() async throws {
            let reference = try selection.reference()
            try await Bootstrap(options).withInstallation(usesKeys: false) { services in
                let workspace = try await services.writes.setSuspended(reference, true, by: .commandLine)
                Console.report("\(workspace.id) is suspended: no key passes there.")
            }
        }
    }

    struct Resume: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Let a suspended workspace go on.")
        @OptionGroup(title: SettingOptions.title) var options: SettingOptions
        @OptionGroup var selection: Selection

        func run() async throws {
            let reference = try selection.reference()
            try await Bootstrap(options).withInstallation(usesKeys: false) { services in
                let workspace = try await services.writes.setSuspended(reference, false, by: .commandLine)
                Console.report("\(workspace.id) is no longer suspended.")
            }
        }
    }

    struct Delete: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Delete a workspace: no key passes there when the command ends.")
        @OptionGroup(title: SettingOptions.title) var options: SettingOptions
        @OptionGroup var selection: Selection
        @Flag(name: .long, help: "Do it. Without this flag nothing is deleted.") var yes = false

        func run() async throws {
            let reference = try selection.reference()
            try await Bootstrap(options).withInstallation(usesKeys: false) { services in
                let workspace = try await services.directory.workspace(reference).workspace
                guard yes else {
                    throw CommandFailure(
                        .dataError,
                        "this deletes \(workspace.id) (\(workspace.name)) for good; add --yes to do it")
                }
                try await services.writes.delete(.id(workspace.id), by: .commandLine)
                Console.report("Deleted \(workspace.id).")
            }
        }
    }

    struct Members: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List a workspace's members.")
        @OptionGroup(title: SettingOptions.title) var options: SettingOptions
        @OptionGroup var selection: Selection
        @Flag(name: .long, help: "Print JSON.") var json = false

        func run() async throws {
            let reference = try selection.reference()
            try await Bootstrap(options).withInstallation(usesKeys: false) { services in
                let id = try await services.directory.workspace(reference).workspace.id
                let members = try await services.workspaces.members(of: id)
                if json { return try Console.json(members.map { MemberJSON($0.user, role: $0.role) }) }
                Console.table(
                    ["ID", "EMAIL", "NAME", "STATUS", "ROLE"],
                    members.map {
                        [
                            $0.user.id.rawValue, $0.user.address?.rawValue ?? "-", $0.user.name,
                            $0.user.status.rawValue,
                            $0.role.rawValue,
                        ]
                    })
            }
        }
    }
}
