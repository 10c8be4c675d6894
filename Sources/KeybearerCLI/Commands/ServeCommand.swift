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
        let bootstrap = try await Bootstrap(options)
        // Before the database is touched: a missing or sample master key stops the start.
        _ = try bootstrap.masterKeyFile.load()
        let store = try await DatabaseWait(bootstrap: bootstrap).open()
        // The log has the same lines.
        let isPlain = bootstrap.settings.logFormat == .text
        let scheme = bootstrap.settings.server.tls == nil ? "http" : "https"
        let host = bootstrap.settings.server.host
        let (gateHost, operatorHost) = (bootstrap.settings.gateHost, bootstrap.settings.operatorHost)
        let metricsHost = bootstrap.settings.metricsHost
        try await bootstrap.serve(store) { ports in
            guard isPlain else { return }
            Console.report("Listening on \(scheme)://\(host.contains(":") ? "[\(host)]" : host):\(ports.server)")
            if let url = bootstrap.settings.server.publicURL { Console.report("The dashboard is at \(url)/") }
            if let gate = ports.gate { Console.report("The gate listens on \(gateHost(gate))") }
            if let operators = ports.operators {
                Console.report("The operator API listens on \(operatorHost(operators))")
            }
            if let metrics = ports.metrics { Console.report("The metrics are at \(metricsHost(metrics))/metrics") }
        }
    }
}
