import Foundation
import Keybearer
import KeybearerSQLite
import KeybearerServer
import Logging

/// Puts store, domain and server together: the one place that knows them all.
struct Assembly: Sendable {
    let settings: LoadedSettings
    let logger: Logger

    /// Reads the settings and sets up the log.
    init(_ options: SettingOptions, isDemonstration: Bool = false) async throws {
        settings = try await LoadedSettings(options, isDemonstration: isDemonstration)
        logger = Self.makeLogger(settings)
    }

    init(settings: LoadedSettings) {
        self.settings = settings
        logger = Self.makeLogger(settings)
    }

    private static func makeLogger(_ settings: LoadedSettings) -> Logger {
        let makeHandler: (String) -> any LogHandler =
            switch settings.logFormat {
            case .json: { JSONLogHandler(label: $0) }
            case .text: { StreamLogHandler.standardError(label: $0) }
            }
        var logger = Logger(label: "keybearer", factory: makeHandler)
        logger.logLevel = settings.logLevel
        return logger
    }

    /// Opens the store.
    ///
    /// - Throws: when there is no database yet: only `init` and `demo` make one.
    func openStore(_ role: SQLiteStore.ProcessRole, creating: Bool = false) throws -> SQLiteStore {
        if !creating, !FileManager.default.fileExists(atPath: settings.databasePath) {
            throw CommandFailure(
                .noInput, "there is no database at \(settings.databasePath); 'keybearer init' makes one")
        }
        return try SQLiteStore.open(path: settings.databasePath, role: role)
    }

    /// The file with the master keys.
    var masterKeyFile: MasterKeyFile { MasterKeyFile(path: settings.masterKeyPath) }

    /// Runs a command's body on a deployment that remembers nothing, and closes the store behind it.
    func withDeployment<Result>(_ body: (Deployment) async throws -> Result) async throws -> Result {
        let store = try openStore(.commandLine)
        do {
            let result = try await body(try makeDeployment(store: store, role: .command))
            try store.close()
            return result
        } catch {
            try? store.close()
            throw error
        }
    }

    func makeDeployment(store: SQLiteStore, role: Deployment.Role) throws -> Deployment {
        let file = masterKeyFile
        return Deployment(
            store: store, ring: try file.load(), loadRing: { try file.load() }, settings: settings.deployment,
            role: role, logger: logger)
    }

    /// Serves until the process is told to stop.
    func serve(
        _ store: SQLiteStore, onReady: @escaping @Sendable (_ ports: KeybearerServer.ListeningPorts) async -> Void
    ) async throws {
        ProcessHardening.apply()
        let deployment = try makeDeployment(store: store, role: .server(prepare: KeybearerServer.prepare))
        let server = try KeybearerServer(
            settings: settings.server, deployment: deployment, checkStore: { try await store.checkReadiness() },
            logger: logger)
        let logger = logger
        do {
            try await server.run { ports in
                logger.info("Listening.", metadata: ["port": "\(ports.server)"])
                if let gate = ports.gate { logger.info("The gate is listening.", metadata: ["port": "\(gate)"]) }
                await onReady(ports)
            }
        } catch {
            logger.debug("The server failed.", metadata: ["error": "\(error)"])
            let edge = settings.server
            let gate = edge.gate.map { " and \($0.address)" } ?? ""
            throw CommandFailure(
                .unavailable,
                edge.tls == nil
                    ? "cannot listen on \(edge.host):\(edge.port)\(gate); is a port taken?"
                    : "cannot listen on \(edge.host):\(edge.port)\(gate) with this certificate and key; "
                        + "is the port taken, or do the PEM files not fit together?")
        }
        try store.close()
    }
}
