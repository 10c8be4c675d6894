import ArgumentParser
import Foundation
import Keybearer

/// `keybearer bulk …`: one action on every account of a filter.
struct BulkCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bulk",
        abstract: "Regenerate keys, disable accounts or end sessions, for all accounts of a filter.",
        subcommands: [Regenerate.self, Disable.self, EndSessions.self])

    /// Which accounts, and whether it is meant.
    struct Selection: ParsableArguments {
        @Option(name: .long, help: "Members of a workspace on this plan.") var plan: String?
        @Option(name: .long, help: "Accounts made before this time, such as 2026-01-31T12:00:00Z.")
        var createdBefore: String?
        @Option(name: .long, help: "Accounts whose key is sealed under this master key (mk_…).")
        var sealedUnder: String?
        @Option(name: .long, help: "Members of this workspace: its id (ws_…) or its external id (ext:…).")
        var workspace: String?
        @Flag(name: .long, help: "Only say how many accounts it is.") var dryRun = false
        @Flag(name: .long, help: "Do it without asking.") var yes = false
        @Option(name: .long, help: "Running the command again with the same key goes on where it ended.")
        var idempotencyKey: String?

        func validate() throws {
            if plan == nil, createdBefore == nil, sealedUnder == nil, workspace == nil {
                throw ValidationError("Name at least one of --plan, --created-before, --sealed-under, --workspace.")
            }
        }

        func filter(_ services: Services) async throws -> BulkFilter {
            var filter = BulkFilter()
            filter.planID = plan.map(PlanID.init(rawValue:))
            if let createdBefore {
                guard let time = Timestamp(rfc3339: createdBefore) else {
                    throw ValidationError("'\(createdBefore)' is no time such as 2026-01-31T12:00:00Z.")
                }
                filter.createdBefore = time
            }
            if let sealedUnder {
                guard let id = MasterKeyID(parsing: sealedUnder) else {
                    throw ValidationError("'\(sealedUnder)' is not a master key's id (mk_…).")
                }
                filter.sealedUnder = id
            }
            if let workspace {
                filter.workspaceID = try await services.directory.workspace(
                    WorkspaceCommand.Selection.reference(workspace)
                ).workspace.id
            }
            return filter
        }
    }

    struct Regenerate: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Put new keys in the place of old ones. They are not printed.",
            discussion: "When the command ends, no running server accepts the old keys any more.")
        @OptionGroup(title: SettingOptions.title) var options: SettingOptions
        @OptionGroup var selection: Selection

        func run() async throws { try await BulkCommand.run(.regenerate, selection, options) }
    }

    struct Disable: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Disable accounts: their keys are refused and their sessions end.")
        @OptionGroup(title: SettingOptions.title) var options: SettingOptions
        @OptionGroup var selection: Selection

        func run() async throws { try await BulkCommand.run(.disable, selection, options) }
    }

    struct EndSessions: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "end-sessions", abstract: "End all sessions of accounts.")
        @OptionGroup(title: SettingOptions.title) var options: SettingOptions
        @OptionGroup var selection: Selection

        func run() async throws { try await BulkCommand.run(.endSessions, selection, options) }
    }

    private static func run(_ action: BulkAction, _ selection: Selection, _ options: SettingOptions) async throws {
        let usesKeys = action == .regenerate && !selection.dryRun
        try await Bootstrap(options).withInstallation(usesKeys: usesKeys) { services in
            let filter = try await selection.filter(services)
            let count = try await services.writes.count(action, filter)
            if selection.dryRun { return Console.output("\(count)") }
            if !selection.yes { try confirm(action, count) }
            var (done, skipped) = (0, 0)
            var cursor: String?
            repeat {
                let outcome = try await services.writes.perform(
                    action, on: filter, cursor: cursor, idempotencyKey: selection.idempotencyKey, by: .commandLine)
                done += outcome.count + outcome.repeated
                skipped += outcome.skipped
                cursor = outcome.nextCursor
            } while cursor != nil
            Console.report("\(action.done): \(accounts(done)).")
            if skipped > 0 {
                throw CommandFailure(
                    .temporary, "\(accounts(skipped)) changed at the same moment and were left out; run it again")
            }
        }
    }

    private static func accounts(_ count: Int) -> String { count == 1 ? "1 account" : "\(count) accounts" }

    private static func confirm(_ action: BulkAction, _ count: Int) throws {
        let what = "this would \(action.sentence) \(accounts(count))"
        guard isatty(STDIN_FILENO) == 1 else {
            throw CommandFailure(.dataError, "\(what); add --yes to do it, or --dry-run to look")
        }
        Console.report("\(what.prefix(1).uppercased() + what.dropFirst()). Go on? [y/N]")
        guard ["y", "yes"].contains((readLine() ?? "").trimmingCharacters(in: .whitespaces).lowercased()) else {
            throw CommandFailure(.dataError, "nothing was changed")
        }
    }
}

extension BulkAction {
    fileprivate var done: String {
        switch self {
        case .regenerate: "Regenerated the keys"
        case .disable: "Disabled"
        case .endSessions: "Ended the sessions"
        }
    }

    fileprivate var sentence: String {
        switch self {
        case .regenerate: "regenerate the keys of"
        case .disable: "disable"
        case .endSessions: "end the sessions of"
        }
    }
}
