import ArgumentParser
import Keybearer

/// `keybearer plan …`: the catalogue.
struct PlanCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan", abstract: "Look at and change the catalogue of plans.", subcommands: [List.self, Put.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the plans in the catalogue's order.")
        @OptionGroup var options: SettingOptions
        @Flag(name: .long, help: "Print JSON.") var json = false

        func run() async throws {
            try await Assembly(options).withDeployment(usesKeys: false) { deployment in
                let plans = try await deployment.workspaces.plans()
                if json { return try Console.json(plans.map(PlanShape.init)) }
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
        @OptionGroup var options: SettingOptions
        @Argument(help: "The plan's id.") var id: String
        @Option(name: .long, help: "What people call it.") var name: String
        @Option(name: .long, help: "Requests that an account may make in any 60 minutes.")
        var hourlyLimit = Plan.defaultHourlyLimit
        @Option(name: .long, help: "A feature that it includes, such as api_webhooks; may be repeated.")
        var feature: [String] = []
        @Option(name: .customLong("billing-url"), help: "Where an Owner goes to move to this plan.")
        var billingURL: String?
        @Option(name: .long, help: "Its place in the catalogue, from 0.") var position = 100

        func run() async throws {
            try await Assembly(options).withDeployment(usesKeys: false) { deployment in
                try await deployment.workspaces.putPlan(
                    Plan(
                        id: PlanID(rawValue: id), name: name, features: Set(feature.map { Feature(rawValue: $0) }),
                        hourlyLimit: hourlyLimit, billingURL: try billingURL.map { try BillingURL($0) },
                        position: position),
                    by: .commandLine)
                Console.note("The plan \(id) is in the catalogue.")
            }
        }
    }
}
