import ArgumentParser
import Keybearer
import KeybearerOutbound
import KeybearerServer

/// `keybearer webhook …`: where messages about events go, and what became of them.
struct WebhookCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "webhook", abstract: "Make and change webhooks, send messages again.",
        discussion: """
            A webhook is a workspace's or the operator's own. The operator's own get the events of every workspace. A
            running server sends the messages: these commands only queue them.
            """,
        subcommands: [
            Add.self, List.self, Show.self, Change.self, Enable.self, Disable.self, Rotate.self, Delete.self,
            Test.self, Deliveries.self, Resend.self, Replay.self, Listen.self,
        ])

    /// A webhook named by its id, whosever it is.
    struct Selection: ParsableArguments {
        @Argument(help: "The webhook: its id (whe_…).")
        var webhook: String

        /// The webhook.
        ///
        /// - Throws: `NOT_FOUND`.
        func find(_ services: Services) async throws -> WebhookEndpoint {
            guard let id = WebhookEndpointID(parsing: webhook) else { throw KeybearerError.noSuchWebhook }
            return try await services.webhooks.find(id)
        }
    }

    /// Whose webhooks a command means.
    struct Owner: ParsableArguments {
        @Option(
            name: .long,
            help: "The workspace: its id (ws_…) or its external id (ext:…). Without it: the operator's own webhooks.")
        var workspace: String?

        func reference() throws -> Reference<WorkspaceID>? {
            try workspace.map { try WorkspaceCommand.Selection.reference($0) }
        }
    }

    /// Which events a webhook gets.
    struct Events: ParsableArguments {
        @Option(name: .long, help: "An event that it gets, such as member.added; give it once for each.")
        var event: [String] = []
        @Flag(name: .customLong("all-events"), help: "It gets all events, also those that are added later.")
        var allEvents = false

        /// What was chosen; nil where nothing was.
        var chosen: [String]? {
            if allEvents { return ["*"] }
            return event.isEmpty ? nil : event
        }

        func validate() throws {
            guard event.isEmpty || !allEvents else { throw ValidationError("Use --event or --all-events, not both.") }
        }
    }

    /// `keybearer webhook add`.
    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a webhook and print its secret: it is shown this once.")
        @OptionGroup(title: SettingOptions.title) var options: SettingOptions
        @Argument(help: "What people call it.") var name: String
        @Argument(help: "Where it is: https, with a host whose addresses are public.") var url: String
        @OptionGroup var events: Events
        @OptionGroup var owner: Owner
        @Flag(name: .long, help: "Print JSON.") var json = false

        func validate() throws {
            guard events.chosen != nil else {
                throw ValidationError("Choose its events: --event for each of them, or --all-events.")
            }
        }

        func run() async throws {
            let reference = try owner.reference()
            let bootstrap = try await Bootstrap(options)
            try await bootstrap.withInstallation { services in
                let workspaceID = try await WebhookCommand.workspaceID(reference, services)
                try await bootstrap.requireWebhookTarget(url)
                let (endpoint, secret) = try await services.webhooks.create(
                    WebhookService.Input(name: name, url: url, events: events.chosen), in: workspaceID,
                    by: .commandLine)
                if json { return try Console.json(WebhookJSON(endpoint, secret: secret)) }
                Console.output(secret.text)
                Console.report(
                    "Made the webhook \(endpoint.id) for \(endpoint.url). Keep the secret: it is not shown again.")
            }
        }
    }

    /// `keybearer webhook list`.
    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the operator's own webhooks, or those of a workspace, oldest first.")
        @OptionGroup(title: SettingOptions.title) var options: SettingOptions
        @OptionGroup var owner: Owner
        @Flag(name: .long, help: "Print JSON.") var json = false

        func run() async throws {
            let reference = try owner.reference()
            try await Bootstrap(options).withInstallation(usesKeys: false) { services in
                let workspaceID = try await WebhookCommand.workspaceID(reference, services)
                let endpoints = try await services.webhooks.list(of: workspaceID)
                if json { return try Console.json(endpoints.map { WebhookJSON($0) }) }
                Console.table(
                    ["ID", "NAME", "URL", "EVENTS", "STATE"],
                    endpoints.map { endpoint in
                        [
                            endpoint.id.rawValue, endpoint.name, endpoint.url.text,
                            WebhookCommand.count(of: endpoint.events), endpoint.state.rawValue,
                        ]
                    })
            }
        }
    }

    /// `keybearer webhook show`.
    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show a webhook, without its secret.")
        @OptionGroup(title: SettingOptions.title) var options: SettingOptions
        @OptionGroup var selection: Selection
        @Flag(name: .long, help: "Print JSON.") var json = false

        func run() async throws {
            try await Bootstrap(options).withInstallation(usesKeys: false) { services in
                let endpoint = try await selection.find(services)
                if json { return try Console.json(WebhookJSON(endpoint)) }
                Console.table(
                    ["FIELD", "VALUE"],
                    [
                        ["id", endpoint.id.rawValue],
                        ["workspace", endpoint.workspaceID?.rawValue ?? "none: the operator's own"],
                        ["name", endpoint.name], ["url", endpoint.url.text],
                        ["events", WebhookCommand.names(of: endpoint.events)], ["state", endpoint.state.rawValue],
                        ["failing since", endpoint.health.failingSince?.description ?? "-"],
                        ["old secret until", endpoint.previousSecretEndsAt?.description ?? "-"],
                        ["created", endpoint.createdAt.description], ["changed", endpoint.updatedAt.description],
                        ["version", "\(endpoint.version)"],
                    ])
            }
        }
    }

    /// The workspace of a reference; nil where there is none.
    private static func workspaceID(
        _ reference: Reference<WorkspaceID>?, _ services: Services
    ) async throws -> WorkspaceID? {
        guard let reference else { return nil }
        return try await services.directory.workspace(reference).workspace.id
    }

    /// How many events a selection has: up to 100 names have no place in a list.
    private static func count(of events: EventSelection) -> String {
        events == .all ? "all" : "\(events.texts.count)"
    }

    private static func names(of events: EventSelection) -> String {
        events == .all ? "all" : events.texts.joined(separator: " ")
    }
}

extension Bootstrap {
    /// Refuses a URL to which no server with these settings sends anything, as the APIs do. The service refuses what is
    /// no URL.
    ///
    /// - Throws: `VALIDATION_FAILED` with the field `url`.
    func requireWebhookTarget(_ text: String?) async throws {
        guard let text, let url = WebhookURL(text) else { return }
        var sender = settings.webhooks
        // Nothing is sent: the file of certificates is not needed.
        sender.trustedCertificates = nil
        let problem = try await WebhookSender.withSender(sender) { await $0.problem(of: url) }
        if let problem { throw KeybearerError.validation(["url": problem]) }
    }
}
