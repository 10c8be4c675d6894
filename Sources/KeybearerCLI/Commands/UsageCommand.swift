import ArgumentParser
import Keybearer
import KeybearerServer

/// `keybearer usage …`: what requests came to.
struct UsageCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "usage", abstract: "Show how many of an account's requests were admitted and refused.",
        subcommands: [Show.self])

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print the requests of each hour, day or month, and their sum.",
            discussion: "Requests of the last second may be missing: servers write counts once a second.")
        @OptionGroup(title: SettingOptions.title) var options: SettingOptions
        @OptionGroup var selection: UserCommand.Selection
        @Option(name: .long, help: "24h, 30d or 12m: the hours, days or months up to now.") var range = "30d"
        @Option(name: .long, help: "The time zone by whose clocks they begin, such as Europe/Berlin.") var zone = "UTC"
        @Flag(name: .long, help: "Print JSON.") var json = false

        func run() async throws {
            guard let range = UsageReport.Range(rawValue: range) else {
                throw ValidationError("--range wants 24h, 30d or 12m.")
            }
            guard let zone = ReportZone(zone) else {
                throw ValidationError(
                    "--zone wants a name of the IANA time zone database that this system knows, such as Europe/Berlin.")
            }
            try await Bootstrap(options).withInstallation { services in
                let account = try await services.accounts.find(selection.user)
                let report = try await services.usage.report(of: account.user.id, range: range, zone: zone)
                if json { return try Console.json(UsageJSON(report)) }
                UsageCommand.print(report)
            }
        }
    }

    /// Prints a line for each bar, and the sum.
    private static func print(_ report: UsageReport) {
        func row(_ first: String, _ admitted: Int, _ refused: Int, _ remark: String, _ count: (UsageOutcome) -> Int)
            -> [String]
        {
            [first] + ([admitted, refused] + UsageOutcome.refusals.map(count)).map(String.init) + [remark]
        }
        let rows = report.bars.map { bar in
            row(
                report.zone.local(at: bar.start).description, bar.admitted, bar.refused,
                bar.isPartial ? "not over yet" : "", bar.count)
        }
        Console.table(
            ["FROM", "ADMITTED", "REFUSED", "LOCKED", "NOT A MEMBER", "RATE LIMITED", "ADDRESS", ""],
            rows + [row("total", report.admitted, report.refused, "", report.total)])
    }
}
