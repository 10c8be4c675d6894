import ArgumentParser
import Keybearer
import KeybearerServer

extension KeyCommand {
    struct History: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print from where a key was used, what was refused, and attempts with keys that ended.")
        @OptionGroup(title: SettingOptions.title) var options: SettingOptions
        @OptionGroup var selection: UserCommand.Selection
        @Flag(name: .long, help: "Print JSON.") var json = false

        func run() async throws {
            try await Bootstrap(options).withInstallation(usesKeys: false) { services in
                let account = try await services.accounts.find(selection.user)
                let history = try await services.keys.history(of: account)
                if json { return try Console.json(KeyHistoryJSON(history)) }
                Self.print(history)
            }
        }

        private static func print(_ history: KeyHistory) {
            Console.table(
                ["SOURCE", "CLIENT", "FIRST SEEN", "LAST SEEN"],
                history.sources.map {
                    [
                        $0.address.displayName, $0.userAgent, $0.firstSeenAt.description, $0.lastSeenAt.description,
                    ]
                })
            Console.table(
                ["REFUSED", "WHY", "FROM", "REQUEST"],
                history.refusals.map {
                    [$0.at.description, $0.reason.rawValue, $0.address.textIfAny ?? "unknown", $0.requestID]
                })
            Console.table(
                ["KEY ENDED", "ATTEMPTS", "LAST", "FROM"],
                history.attempts.map {
                    [
                        $0.endedAt.description, String($0.count), $0.lastAt.description,
                        $0.address.textIfAny ?? "unknown",
                    ]
                })
        }
    }
}
