import ArgumentParser
import Foundation
import Keybearer
import KeybearerOutbound
import KeybearerServer

/// `keybearer top`: what a server does now, from its metrics. Needs no database and no master keys.
struct TopCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "top", abstract: "Show what a server does, every second, until Ctrl-C.",
        discussion: "It reads the server's metrics: give it the metrics-address that the server has.")

    @OptionGroup(title: SettingOptions.title) var options: SettingOptions
    @Option(name: .long, help: "How many seconds a picture is about, 1 to 60.") var interval = 1
    @Flag(name: .long, help: "Show one picture and end.") var once = false

    func validate() throws {
        guard (1...60).contains(interval) else { throw ValidationError("--interval is \(interval); it is 1 to 60.") }
    }

    func run() async throws {
        let settings = try LoadedSettings(options)
        guard let address = settings.server.metricsAddress else {
            throw CommandFailure(.configuration, "metrics-address says where the server's metrics are; it is not set")
        }
        let place: MetricsFetch.Place =
            switch address {
            case .network(let host, let port): .network(host: host, port: port)
            case .unixSocket(let path): .socket(path: path)
            }
        let isTerminal = isatty(STDOUT_FILENO) == 1
        var earlier = try await Self.read(place, address)
        repeat {
            try await Task.sleep(for: .seconds(interval))
            let now = try await Self.read(place, address)
            let picture = MetricsPicture(earlier: earlier, now: now, place: address.description)
            // To the first place, and nothing behind it: the picture is drawn over the one before.
            if isTerminal, !once { FileHandle.standardOutput.write(Data("\u{1B}[H\u{1B}[J".utf8)) }
            Console.output(picture.lines.joined(separator: "\n") + (isTerminal || once ? "" : "\n"))
            earlier = now
        } while !once
    }

    private static func read(_ place: MetricsFetch.Place, _ address: GateSettings.Address) async throws
        -> MetricsReading
    {
        do {
            return MetricsReading(try await MetricsFetch.text(from: place), at: Clocks.system.steady())
        } catch let error as KeybearerError {
            throw CommandFailure(.unavailable, "\(address): \(error.message)")
        }
    }
}
