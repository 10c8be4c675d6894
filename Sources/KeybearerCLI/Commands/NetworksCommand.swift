import ArgumentParser
import Keybearer

extension UserCommand {
    struct SetNetworks: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "set-networks",
            abstract: "Let an account's key be used from networks alone; it holds when the command ends.")
        @OptionGroup(title: SettingOptions.title) var options: SettingOptions
        @OptionGroup var selection: Selection
        @Argument(help: "Networks such as 203.0.113.0/24, or 'all' to let every address pass again.")
        var networks: [String]

        func run() async throws {
            let allowed = networks == ["all"] ? nil : try AllowedNetworks(parsing: networks)
            try await Bootstrap(options).withInstallation(usesKeys: false) { services in
                let account = try await services.accounts.find(selection.user)
                try await services.writes.setAllowedNetworks(allowed, of: account.user.id, by: .commandLine)
                let place = allowed.map { "\($0.texts.joined(separator: ", ")) alone" } ?? "every address"
                Console.report("The key of \(account.user.email) may be used from \(place).")
            }
        }
    }
}
