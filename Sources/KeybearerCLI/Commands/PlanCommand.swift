import ArgumentParser
import Keybearer
import KeybearerServer

/// `keybearer plan …`: the catalogue.
struct PlanCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan", abstract: "Look at and change the catalogue of plans.",
        subcommands: [List.self, Put.self, Delete.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the plans in the catalogue's order.")
        @OptionGroup(title: SettingOptions.title) var options: SettingOptions
        @Flag(name: .long, help: "Print JSON.") var json = false

        func run() async throws {
            try await Bootstrap(options).withInstallation(usesKeys: false) { services in
                let plans = try await services.workspaces.plans()
                if json { return try Console.json(plans.map(PlanJSON.init)) }
                Console.table(
                    ["ID", "NAME", "HOURLY LIMIT", "FEATURES", "BILLING"],
                    plans.map { plan in
                        [
                            plan.id.rawValue, plan.name, "\(plan.hourlyLimit)",
                            plan.features.sorted().map(\.rawValue).joined(separator: ","),
                            plan.billingURL?.description ?? "",
                        ]
                    })
            }
        }
    }

    struct Put: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Add a plan, or replace the one with this id; it holds when the command ends.")
        @OptionGroup(title: SettingOptions.title) var options: SettingOptions
        @Argument(help: "The plan's id.") var id: String
        @Option(name: .long, help: "What people call it.") var name: String
        @Option(name: .long, help: "Requests that an account may make in any 60 minutes.")
        var hourlyLimit = Plan.defaultHourlyLimit
        @Option(name: .long, help: "A feature that it includes, such as api_webhooks; may be repeated.")
        var feature: [String] = []
        @Option(name: .customLong("billing-url"), help: "Where an Owner goes to move to this plan.")
        var billingURL: String?
        @Option(
            name: .long, parsing: .unconditional, help: "Its place in the catalogue; new workspaces start on the first."
        )
        var position = 100

        func run() async throws {
            try await Bootstrap(options).withInstallation(usesKeys: false) { services in
                try await services.workspaces.putPlan(
                    Plan(
                        id: PlanID(rawValue: id), name: name, features: Set(feature.map { Feature(rawValue: $0) }),
                        hourlyLimit: hourlyLimit, billingURL: try billingURL.map { try BillingURL($0) },
                        position: position),
                    by: .commandLine)
                Console.report("The plan \(id) is in the catalogue.")
            }
        }
    }

    struct Delete: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Delete a plan that no workspace is on.",
            discussion: "The plan that new workspaces start on, the first of the catalogue, stays.")
        @OptionGroup(title: SettingOptions.title) var options: SettingOptions
        @Argument(help: "The plan's id.") var id: String

        func run() async throws {
            try await Bootstrap(options).withInstallation(usesKeys: false) { services in
                try await services.workspaces.deletePlan(PlanID(rawValue: id), by: .commandLine)
                Console.report("The plan \(id) is deleted.")
            }
        }
    }
}
