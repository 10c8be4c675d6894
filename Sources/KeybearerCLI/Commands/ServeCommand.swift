import ArgumentParser
import Foundation
import KeybearerSQLite
import KeybearerServer

/// `keybearer serve`: the server, until it is told to stop.
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Serve the API and the dashboard until SIGTERM or SIGINT.")

    @OptionGroup(title: SettingOptions.title) var options: SettingOptions

    func run() async throws {
        ProcessHardening.ignoreHangups()
        let assembly = try await Assembly(options)
        // Before the database is touched: a missing or sample master key stops the start.
        _ = try assembly.masterKeyFile.load()
        let store = try await DatabaseWait(assembly: assembly).open()
        // The log has the same lines.
        let isPlain = assembly.settings.logFormat == .text
        let scheme = assembly.settings.server.tls == nil ? "http" : "https"
        let host = assembly.settings.server.host
        let gateHost = assembly.settings.gateHost
        try await assembly.serve(store) { ports in
            guard isPlain else { return }
            Console.report("Listening on \(scheme)://\(host.contains(":") ? "[\(host)]" : host):\(ports.server)")
            if let gate = ports.gate { Console.report("The gate listens on \(gateHost(gate))") }
        }
    }
}
