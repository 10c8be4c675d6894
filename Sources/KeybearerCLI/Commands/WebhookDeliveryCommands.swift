import ArgumentParser
import Keybearer
import KeybearerServer

/// The commands about the messages of a webhook, as the operator API has them.
extension WebhookCommand {
    /// `keybearer webhook test`.
    struct Test: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Queue a test message (webhook.test) for a webhook and print the message's id.")
        @OptionGroup(title: SettingOptions.title) var options: SettingOptions
        @OptionGroup var selection: Selection

        func run() async throws {
            try await Bootstrap(options).withInstallation(usesKeys: false) { services in
                let found = try await selection.find(services)
                let id = try await services.webhooks.test(found.id, in: found.workspaceID, by: .commandLine)
                Console.output(id.rawValue)
                Console.report("A running server sends it. 'keybearer webhook deliveries' shows what became of it.")
            }
        }
    }

    /// `keybearer webhook deliveries`.
    struct Deliveries: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List what became of a webhook's messages, the newest first.")
        @OptionGroup(title: SettingOptions.title) var options: SettingOptions
        @OptionGroup var selection: Selection
        @Option(name: .long, help: "Only those in this state: \(Deliveries.states).") var state: String?
        @Option(name: .long, help: "Only those of this event, such as member.added.") var event: String?
        @Option(name: .long, help: "How many are listed at most: from 1 to 1000.") var limit = 100
        @Flag(name: .long, help: "Print JSON.") var json = false

        static let states = WebhookDelivery.State.allCases.map(\.rawValue).joined(separator: ", ")

        func validate() throws {
            guard (1...1_000).contains(limit) else { throw ValidationError("--limit is \(limit); it is 1 to 1000.") }
        }

        func run() async throws {
            let (state, event) = (try wantedState(), try wantedEvent())
            try await Bootstrap(options).withInstallation(usesKeys: false) { services in
                let found = try await selection.find(services)
                var filter = DeliveryFilter(endpointID: found.id, limit: limit)
                filter.state = state
                filter.event = event
                let deliveries = try await services.webhooks.deliveries(filter, in: found.workspaceID)
                if json { return try Console.json(deliveries.map { DeliveryJSON($0) }) }
                Console.table(
                    ["ID", "EVENT", "STATE", "ATTEMPTS", "CREATED", "NEXT"],
                    deliveries.map { delivery in
                        [
                            delivery.messageID.rawValue, delivery.event.rawValue, delivery.state.rawValue,
                            "\(delivery.attempts)", delivery.createdAt.description,
                            delivery.dueAt?.description ?? "",
                        ]
                    })
            }
        }

        private func wantedState() throws -> WebhookDelivery.State? {
            guard let state else { return nil }
            guard let wanted = WebhookDelivery.State(rawValue: state) else {
                throw ValidationError("'\(state)' is no state; these are: \(Self.states)")
            }
            return wanted
        }

        private func wantedEvent() throws -> EventName? {
            guard let event else { return nil }
            guard let wanted = EventName(parsing: event) else {
                throw ValidationError("'\(event)' is no name of an event, such as member.added")
            }
            return wanted
        }
    }

    /// `keybearer webhook resend`.
    struct Resend: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Send a message to a webhook again, whatever became of it.")
        @OptionGroup(title: SettingOptions.title) var options: SettingOptions
        @OptionGroup var selection: Selection
        @Argument(help: "The message: evt_….") var message: String

        func run() async throws {
            try await Bootstrap(options).withInstallation(usesKeys: false) { services in
                let found = try await selection.find(services)
                guard let id = WebhookMessageID(parsing: message) else { throw KeybearerError.noSuchDelivery }
                _ = try await services.webhooks.resend(
                    WebhookResend(.one(id), to: found.id), in: found.workspaceID, by: .commandLine)
                Console.report("\(id) waits again: a running server sends it.")
            }
        }
    }

    /// `keybearer webhook replay`.
    struct Replay: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Send a webhook again what was queued in a span of time and did not arrive.",
            discussion: "At most 10000 messages: run the command again for more.")
        @OptionGroup(title: SettingOptions.title) var options: SettingOptions
        @OptionGroup var selection: Selection
        @Option(name: .long, help: "From when on messages were queued, such as 2026-01-31T12:00:00Z.")
        var since: String
        @Option(name: .long, help: "Before when they were queued.") var until: String

        func run() async throws {
            let which = try missed()
            try await Bootstrap(options).withInstallation(usesKeys: false) { services in
                let found = try await selection.find(services)
                let count = try await services.webhooks.resend(
                    WebhookResend(which, to: found.id), in: found.workspaceID, by: .commandLine)
                if count == 0 { return Console.report("Nothing was missed in this span of time.") }
                let more = count == WebhookResend.most ? " There may be more: run the command again." : ""
                Console.report("Waiting again: \(count). A running server sends them.\(more)")
            }
        }

        private func missed() throws -> WebhookResend.Which {
            let (from, end) = (try Self.time(since, of: "since"), try Self.time(until, of: "until"))
            guard from < end else { throw ValidationError("--until must be later than --since.") }
            return .missed(since: from, until: end)
        }

        private static func time(_ text: String, of flag: String) throws -> Timestamp {
            guard let time = Timestamp(rfc3339: text) else {
                throw ValidationError("--\(flag) must be a time such as 2026-01-31T12:00:00Z.")
            }
            return time
        }
    }
}
