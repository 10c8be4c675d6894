import ArgumentParser
import Keybearer
import KeybearerSQL

/// `keybearer node …`: the servers on the database.
struct NodeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "node", abstract: "Look at the servers that are registered on the database.",
        subcommands: [List.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the registered servers and whether each holds its lease.",
            discussion: """
                It watches for one lease: a server that lives renews within it. One that died stays listed until the
                next change finds that its lease has run out.
                """)
        @OptionGroup(title: SettingOptions.title) var options: SettingOptions
        @Flag(name: .long, help: "Print JSON.") var json = false

        func run() async throws {
            let store = try await Bootstrap(options).openStore(.commandLine)
            defer { try? store.close() }
            let entries = try await RunningNodes.entries(of: store)
            if json { return try Console.json(entries.map(NodeJSON.init)) }
            Console.table(
                ["ID", "LABEL", "STATE", "ACKNOWLEDGED", "RENEWALS", "LEASE"],
                entries.map { entry in
                    [
                        entry.node.id.rawValue, entry.node.label, entry.isAlive ? "alive" : "gone",
                        "\(entry.node.acknowledged)", "\(entry.node.renewals)", "\(entry.node.lease)",
                    ]
                })
        }
    }
}

/// A node as `--json` prints it.
struct NodeJSON: Encodable {
    let id: String
    let label: String
    let alive: Bool
    let acknowledged: Int64
    let renewals: Int64
    let leaseMilliseconds: Int64

    init(_ entry: RunningNodes.Watched) {
        id = entry.node.id.rawValue
        label = entry.node.label
        alive = entry.isAlive
        acknowledged = entry.node.acknowledged
        renewals = entry.node.renewals
        leaseMilliseconds = entry.node.lease.wholeMilliseconds
    }
}
