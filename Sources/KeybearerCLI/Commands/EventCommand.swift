import ArgumentParser
import Foundation
import Keybearer
import KeybearerServer

/// `keybearer event …`: the catalogue of the events that the product publishes.
struct EventCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "event", abstract: "Look at and change the catalogue of the product's events.",
        discussion: """
            People choose from it what their webhooks get. Keybearer's own events, such as member.added, are not in it:
            they can always be chosen.
            """,
        subcommands: [List.self, Put.self, Delete.self])

    /// `keybearer event list`.
    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the product's events, in the order of their names.")
        @OptionGroup(title: SettingOptions.title) var options: SettingOptions
        @Flag(name: .long, help: "Print JSON.") var json = false

        func run() async throws {
            try await Bootstrap(options).withInstallation(usesKeys: false) { services in
                let types = try await services.events.types()
                if json { return try Console.json(types.map { EventTypeJSON($0) }) }
                Console.table(
                    ["NAME", "EXAMPLE", "CHANGED", "DESCRIPTION"],
                    types.map { type in
                        [
                            type.name.rawValue, type.example == nil ? "no" : "yes", type.updatedAt.description,
                            type.description,
                        ]
                    })
            }
        }
    }

    /// `keybearer event put`.
    struct Put: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Add an event, or replace the whole event with this name.")
        @OptionGroup(title: SettingOptions.title) var options: SettingOptions
        @Argument(help: "Its name, such as invoice.paid.") var name: String
        @Argument(help: "What has happened, for those who choose events.") var description: String
        @Option(
            name: .customLong("example-file"),
            help: "A file with what a message says: a JSON object of at most 4096 bytes.")
        var exampleFile: String?

        func run() async throws {
            let name = try EventCommand.name(name)
            let example = try exampleFile.map { try Self.example(in: $0) }
            try await Bootstrap(options).withInstallation(usesKeys: false) { services in
                let type = try await services.events.put(
                    name, description: description, example: example, by: .commandLine)
                Console.report("\(type.name) is in the catalogue.")
            }
        }

        /// The object as the operator API keeps it: its members in the order of their names.
        private static func example(in path: String) throws -> String {
            guard let data = FileManager.default.contents(atPath: path) else {
                throw CommandFailure(.noInput, "\(path) cannot be read")
            }
            guard let object = try? JSONSerialization.jsonObject(with: data) as? [String: Any],
                let bytes = try? JSONSerialization.data(
                    withJSONObject: object, options: [.sortedKeys, .withoutEscapingSlashes])
            else { throw CommandFailure(.dataError, "\(path) holds no JSON object") }
            return String(decoding: bytes, as: UTF8.self)
        }
    }

    /// `keybearer event delete`.
    struct Delete: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Remove an event from the catalogue.", discussion: "Webhooks that chose it keep it.")
        @OptionGroup(title: SettingOptions.title) var options: SettingOptions
        @Argument(help: "Its name.") var name: String

        func run() async throws {
            let name = try EventCommand.name(name)
            try await Bootstrap(options).withInstallation(usesKeys: false) { services in
                try await services.events.delete(name, by: .commandLine)
                Console.report("\(name) is no longer in the catalogue.")
            }
        }
    }

    private static func name(_ text: String) throws -> EventName {
        guard let name = EventName(parsing: text) else { throw KeybearerError.validation(["name": EventName.rule]) }
        return name
    }
}
