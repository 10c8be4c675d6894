import ArgumentParser
import Keybearer

/// A limit as the commands take it.
struct LimitInput: ParsableArguments {
    @Argument(help: "Requests in any 60 minutes; 0 lets none pass, 'plan' lets the plan's limit hold again.")
    var limit: String
    @Option(name: .long, help: "When it ends by itself, such as 2026-12-31T00:00:00Z. Without it: never.")
    var until: String?

    func override() throws -> LimitOverride? {
        if limit == "plan" {
            guard until == nil else { throw ValidationError("--until is for a limit; the plan's has no end.") }
            return nil
        }
        guard let number = Int(limit), LimitOverride.range.contains(number) else {
            throw ValidationError("'\(limit)' is no limit; use 0 to 1000000000, or 'plan'.")
        }
        return LimitOverride(hourlyLimit: number, endsAt: try Self.time(until))
    }

    /// Reads a point in time.
    static func time(_ text: String?) throws -> Timestamp? {
        try text.map { text in
            guard let time = Timestamp(rfc3339: text) else {
                throw ValidationError("--until must be a time such as 2026-12-31T00:00:00Z.")
            }
            return time
        }
    }

    /// What holds now.
    func report(of noun: String) -> String {
        if limit == "plan" { return "The plan's limit holds for \(noun)." }
        return "\(noun) may make \(limit) requests in any 60 minutes" + (until.map { " until \($0)." } ?? ".")
    }
}

extension UserCommand {
    struct SetLimit: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "set-limit",
            abstract: "Give an account another hourly limit than its plan; it holds when the command ends.")
        @OptionGroup(title: SettingOptions.title) var options: SettingOptions
        @OptionGroup var selection: Selection
        @OptionGroup var input: LimitInput

        func run() async throws {
            let limit = try input.override()
            try await Bootstrap(options).withInstallation(usesKeys: false) { services in
                let account = try await services.accounts.find(selection.user)
                try await services.writes.setLimit(limit, of: account.user.id, by: .commandLine)
                Console.report(input.report(of: account.user.label))
            }
        }
    }

    struct ResetQuota: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "reset-quota", abstract: "Give an account a fresh hour: what it used so far counts no more.")
        @OptionGroup(title: SettingOptions.title) var options: SettingOptions
        @OptionGroup var selection: Selection

        func run() async throws {
            try await Bootstrap(options).withInstallation(usesKeys: false) { services in
                let account = try await services.accounts.find(selection.user)
                try await services.writes.resetWindow(of: account.user.id, by: .commandLine)
                Console.report("\(account.user.label) has a fresh hour.")
            }
        }
    }
}

extension WorkspaceCommand {
    struct SetLimit: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "set-limit",
            abstract: "Give a workspace another hourly limit than its plan; it holds when the command ends.")
        @OptionGroup(title: SettingOptions.title) var options: SettingOptions
        @OptionGroup var selection: Selection
        @OptionGroup var input: LimitInput

        func run() async throws {
            let (limit, reference) = (try input.override(), try selection.reference())
            try await Bootstrap(options).withInstallation(usesKeys: false) { services in
                let id = try await services.directory.workspace(reference).workspace.id
                try await services.writes.setLimit(limit, of: .id(id), by: .commandLine)
                Console.report(input.report(of: id.rawValue))
            }
        }
    }

    struct SetPlan: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "set-plan", abstract: "Move a workspace to a plan; it holds when the command ends.")
        @OptionGroup(title: SettingOptions.title) var options: SettingOptions
        @OptionGroup var selection: Selection
        @Argument(help: "The plan's id.") var plan: String
        @Option(name: .long, help: "When the workspace leaves the plan by itself, such as 2026-12-31T00:00:00Z.")
        var until: String?
        @Option(name: .long, help: "The plan that it is on then; without it the catalogue's first.") var then: String?

        func run() async throws {
            let (reference, endsAt) = (try selection.reference(), try LimitInput.time(until))
            try await Bootstrap(options).withInstallation(usesKeys: false) { services in
                let id = try await services.directory.workspace(reference).workspace.id
                try await services.writes.move(
                    .id(id), to: PlanID(rawValue: plan), endsAt: endsAt, next: then.map(PlanID.init(rawValue:)),
                    by: .commandLine)
                Console.report("\(id) is on the plan \(plan)" + (until.map { " until \($0)." } ?? "."))
            }
        }
    }
}
