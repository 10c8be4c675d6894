import ArgumentParser
import Keybearer
import KeybearerServer

/// The commands that change a webhook, as the operator API does.
extension WebhookCommand {
    /// `keybearer webhook set`. Not named `Set`: that would hide the standard library's.
    struct Change: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "set", abstract: "Change a webhook's name, URL or events. What is left out stays as it is.",
            discussion: "The events that are named replace those that it had.")
        @OptionGroup(title: SettingOptions.title) var options: SettingOptions
        @OptionGroup var selection: Selection
        @Option(name: .long, help: "What people call it.") var name: String?
        @Option(name: .long, help: "Where it is: https, with a host whose addresses are public.") var url: String?
        @OptionGroup var events: Events

        func validate() throws {
            guard name != nil || url != nil || events.chosen != nil else {
                throw ValidationError("Name what changes: --name, --url, --event or --all-events.")
            }
        }

        func run() async throws {
            let bootstrap = try await Bootstrap(options)
            try await bootstrap.withInstallation(usesKeys: false) { services in
                let found = try await selection.find(services)
                try await bootstrap.requireWebhookTarget(url)
                let endpoint = try await services.webhooks.update(
                    found.id, in: found.workspaceID,
                    WebhookService.Input(name: name, url: url, events: events.chosen), by: .commandLine)
                Console.report("The webhook \(endpoint.name) is at version \(endpoint.version).")
            }
        }
    }

    /// `keybearer webhook enable`.
    struct Enable: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Enable a webhook. Its earlier failures no longer count.",
            discussion: "What it missed while it was disabled is sent by 'keybearer webhook replay'.")
        @OptionGroup(title: SettingOptions.title) var options: SettingOptions
        @OptionGroup var selection: Selection

        func run() async throws {
            let endpoint = try await WebhookCommand.setEnabled(true, selection, options)
            Console.report("\(endpoint.name) is enabled: it gets what happens from now on.")
        }
    }

    /// `keybearer webhook disable`.
    struct Disable: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Disable a webhook: nothing is sent to it.")
        @OptionGroup(title: SettingOptions.title) var options: SettingOptions
        @OptionGroup var selection: Selection

        func run() async throws {
            let endpoint = try await WebhookCommand.setEnabled(false, selection, options)
            Console.report("\(endpoint.name) is disabled: nothing is sent to it.")
        }
    }

    /// `keybearer webhook rotate`.
    struct Rotate: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Replace a webhook's secret and print the new one: it is shown this once.",
            discussion: "Until the overlap is over, messages are signed with the old secret as well.")
        @OptionGroup(title: SettingOptions.title) var options: SettingOptions
        @OptionGroup var selection: Selection
        @Option(
            name: .customLong("overlap-hours"),
            help: "How many hours the old secret signs as well, 0 to 168; 0 ends it immediately.")
        var overlap = 24
        @Flag(name: .long, help: "Print JSON.") var json = false

        func validate() throws {
            guard (0...168).contains(overlap) else {
                throw ValidationError("--overlap-hours is \(overlap); it is 0 to 168.")
            }
        }

        func run() async throws {
            try await Bootstrap(options).withInstallation { services in
                let found = try await selection.find(services)
                let (endpoint, secret) = try await services.webhooks.rotate(
                    found.id, in: found.workspaceID, overlap: .seconds(overlap * 3_600), by: .commandLine)
                if json { return try Console.json(WebhookJSON(endpoint, secret: secret)) }
                Console.output(secret.text)
                let old = endpoint.previousSecretEndsAt.map { "signs as well until \($0)" } ?? "no longer signs"
                Console.report("Keep the secret: it is not shown again. The old one \(old).")
            }
        }
    }

    /// `keybearer webhook delete`.
    struct Delete: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Delete a webhook with what became of its messages. What waits for it is not sent.")
        @OptionGroup(title: SettingOptions.title) var options: SettingOptions
        @OptionGroup var selection: Selection

        func run() async throws {
            try await Bootstrap(options).withInstallation(usesKeys: false) { services in
                let found = try await selection.find(services)
                try await services.webhooks.delete(found.id, in: found.workspaceID, by: .commandLine)
                Console.report("Deleted \(found.name).")
            }
        }
    }

    private static func setEnabled(
        _ isEnabled: Bool, _ selection: Selection, _ options: SettingOptions
    ) async throws -> WebhookEndpoint {
        try await Bootstrap(options).withInstallation(usesKeys: false) { services in
            let found = try await selection.find(services)
            return try await services.webhooks.update(
                found.id, in: found.workspaceID, WebhookService.Input(isEnabled: isEnabled), by: .commandLine)
        }
    }
}
