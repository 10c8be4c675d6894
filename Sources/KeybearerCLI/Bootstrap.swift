import Foundation
import Keybearer
import KeybearerOutbound
import KeybearerPostgres
import KeybearerSQL
import KeybearerSQLite
import KeybearerServer
import Logging

/// Puts store, domain and server together: the one place that knows them all.
struct Bootstrap: Sendable {
    var settings: LoadedSettings
    let logger: Logger

    /// Reads the settings and sets up the log.
    init(_ options: SettingOptions, isDemonstration: Bool = false) async throws {
        settings = try LoadedSettings(options, isDemonstration: isDemonstration)
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
            case .text: { TextLogHandler(label: $0) }
            }
        var logger = Logger(label: "keybearer") { label in
            var handler = makeHandler(label)
            handler.metadataProvider = .trace
            return handler
        }
        logger.logLevel = settings.logLevel
        return logger
    }

    /// What this process is to the store.
    enum StoreRole: Sendable {
        /// Answers requests, beside others that may do the same.
        case server
        /// Does one thing and ends.
        case commandLine
    }

    /// Opens the store.
    ///
    /// - Parameter creating: whether an empty place is made a database. Only `init`, `demo` and `migrate` do that.
    func openStore(_ role: StoreRole, creating: Bool = false) throws -> SQLStore {
        try openStore(settings.database, role, creating: creating)
    }

    /// Opens a store that is not the one of the settings.
    func openStore(
        _ location: DatabaseLocation, _ role: StoreRole, creating: Bool = false
    ) throws -> SQLStore {
        if !creating, try !isThere(location) {
            throw CommandFailure(.noInput, "there is no database at \(location); 'keybearer init' makes one")
        }
        switch location {
        case .sqlite(let path):
            return try SQLiteStore.openStore(path: path, role: role == .server ? .server : .commandLine)
        case .postgres(let address):
            return try PostgresStore.openStore(address.text, options: postgresOptions(role))
        }
    }

    /// How this process uses a PostgreSQL.
    func postgresOptions(_ role: StoreRole) -> PostgresStore.Options {
        var options = PostgresStore.Options()
        options.connections = role == .server ? settings.databaseConnections : 2
        options.lease = settings.services.lease
        options.listens = role == .server
        return options
    }

    /// Opens the embedded store, for what only that can do.
    ///
    /// - Parameter instead: what does the same for PostgreSQL.
    func openFile(instead: String, creating: Bool = false) throws -> (store: SQLStore, file: SQLiteEngine) {
        // Before anything is opened: that would make or upgrade the tables.
        let refusal = CommandFailure(.dataError, "this is for the embedded database; for PostgreSQL use \(instead)")
        guard case .sqlite = settings.database else { throw refusal }
        let store = try openStore(.commandLine, creating: creating)
        guard let file = store.file else { throw refusal }
        return (store, file)
    }

    /// Whether somebody has made a database there.
    func isThere(_ location: DatabaseLocation) throws -> Bool {
        switch location {
        case .sqlite(let path):
            // An empty file is no database, and neither is one without tables.
            try SQLiteStore.exists(path: path) && SQLiteStore.schemaState(path: path) != .empty
        case .postgres(let address): try PostgresStore.schemaState(of: address.text) != .empty
        }
    }

    /// The file with the master keys.
    var masterKeyFile: MasterKeyFile { MasterKeyFile(path: settings.masterKeyPath) }

    /// Runs a command's body on a deployment that remembers nothing, and closes the store behind it.
    ///
    /// - Parameter usesKeys: whether the command makes, opens or replaces keys or tokens: then the master keys at hand
    ///   must be those of the database. What only looks, disables or ends something works without.
    func withInstallation<Result>(
        usesKeys: Bool = true, _ body: (Services) async throws -> Result
    ) async throws -> Result {
        let store = try openStore(.commandLine)
        let result: Result
        do {
            defer { if store.hasChanged { reportChange(of: settings.database) } }
            let services = try makeServices(store: store, role: .command)
            if usesKeys { try await requireRing(services, .allow) }
            result = try await body(services)
        } catch {
            try? store.close()
            throw error
        }
        try store.close()
        return result
    }

    /// Names the database in which something was changed: a command with other settings than the server's changes
    /// another one.
    func reportChange(of location: DatabaseLocation) { Console.report("Changed \(location).") }

    /// - Parameters:
    ///   - identityProvider: the client of the provider; a command needs none.
    ///   - webhooks: what delivers messages; a command needs none.
    func makeServices(
        store: any Store, role: Services.Role, identityProvider: (any IdentityProvider)? = nil,
        webhooks: (any WebhookTransport)? = nil
    ) throws -> Services {
        let file = masterKeyFile
        return Services(
            store: store, ring: try file.load(), loadRing: { try file.load() }, settings: settings.services,
            role: role, identityProvider: identityProvider,
            mail: role == .server ? try settings.mail.delivery(settings.server.brand) : nil, webhooks: webhooks,
            logger: logger)
    }

    /// Lends the client of the provider for as long as the body runs; nil where none is configured.
    func withIdentityProvider<Value: Sendable>(_ body: (OIDCClient?) async throws -> Value) async throws -> Value {
        guard let client = try settings.provider.client(publicURL: settings.server.publicURL) else {
            return try await body(nil)
        }
        return try await OIDCClient.withClient(client) { try await body($0) }
    }

    /// Lends what delivers messages for as long as the body runs.
    private func withWebhooks<Value: Sendable>(_ body: (WebhookSender) async throws -> Value) async throws -> Value {
        do {
            return try await WebhookSender.withSender(settings.webhooks, body)
        } catch let problem as WebhookSender.CertificatesProblem {
            throw CommandFailure(
                .configuration, "\(Setting.webhookCertificates.rawValue): \(problem.description)")
        }
    }

    /// Whether a key may regenerate itself: as the setting says, else as the database does.
    func isRegenerateByKeyOpen(_ store: any Store) async throws -> Bool {
        if let isOpen = settings.isRegenerateByKeyOpen { return isOpen }
        return try await store.storedSetting(.regenerateByKey) == "open"
    }

    /// Serves until the process is told to stop.
    ///
    /// - Parameter reloadsAtHangup: whether `SIGHUP` reloads the certificate and the master keys, and does not end the
    ///   process.
    func serve(
        _ store: any Store, reloadsAtHangup: Bool = true,
        onReady: @escaping @Sendable (_ ports: KeybearerServer.ListeningPorts) async -> Void
    ) async throws {
        try await withIdentityProvider { provider in
            try await withWebhooks {
                try await serve(store, provider, $0, reloadsAtHangup: reloadsAtHangup, onReady: onReady)
            }
        }
    }

    private func serve(
        _ store: any Store, _ identityProvider: OIDCClient?, _ webhooks: WebhookSender, reloadsAtHangup: Bool,
        onReady: @escaping @Sendable (_ ports: KeybearerServer.ListeningPorts) async -> Void
    ) async throws {
        ProcessHardening.apply()
        var bootstrap = self
        bootstrap.settings.services.nodeLabel =
            "\(ProcessInfo.processInfo.hostName):\(settings.server.port) (\(ProcessInfo.processInfo.processIdentifier))"
        let services = try bootstrap.makeServices(
            store: store, role: .server, identityProvider: identityProvider, webhooks: webhooks)
        try await requireRing(services, .refuse)
        try await services.signIn.adoptPasswordCost()
        try await services.audit.noteStart(with: settings.noted)
        var edge = settings.server
        edge.isRegenerateByKeyOpen = try await isRegenerateByKeyOpen(store)
        let server = try KeybearerServer(
            settings: edge, services: services, checkStore: { try await store.checkReadiness() },
            logger: logger)
        let logger = logger
        do {
            try await server.run(reloadsAtHangup: reloadsAtHangup) { ports in
                logger.info("Listening.", metadata: ["port": "\(ports.server)"])
                if let gate = ports.gate { logger.info("The gate is listening.", metadata: ["port": "\(gate)"]) }
                if let operators = ports.operators {
                    logger.info("The operator API is listening.", metadata: ["port": "\(operators)"])
                }
                if let metrics = ports.metrics {
                    logger.info("The metrics are served.", metadata: ["port": "\(metrics)"])
                }
                await onReady(ports)
            }
        } catch {
            logger.debug("The server failed.", metadata: ["error": "\(error)"])
            throw Self.startFailure(error, settings: settings.server)
        }
        try store.close()
    }

    /// Why the server ended: the certificate, a failure of the domain or the store, the address on which it cannot
    /// listen, or the error itself.
    static func startFailure(_ error: any Error, settings: KeybearerServer.Settings) -> CommandFailure {
        switch error {
        case let problem as CertificateProblem: return CommandFailure(.configuration, problem.description)
        case let error as KeybearerError where error.code != .conflict:
            return CommandFailure(Failure.status(of: error.code), error.operatorMessage)
        default: break
        }
        let addresses =
            [("address", GateSettings.Address.network(host: settings.host, port: settings.port))]
            + (settings.gate.map { [("gate-address", $0.address)] } ?? [])
            + (settings.operatorAddress.map { [("operator-address", $0)] } ?? [])
            + (settings.metricsAddress.map { [("metrics-address", $0)] } ?? [])
        for (setting, address) in addresses {
            if let problem = ListenProblem.find(address) {
                return CommandFailure(.unavailable, "cannot listen on \(address) (\(setting)): \(problem)")
            }
        }
        // A conflict is a listener's: another process listens there, or too few files may be opened.
        if let error = error as? KeybearerError { return CommandFailure(.unavailable, error.operatorMessage) }
        return CommandFailure(.unavailable, "the server failed: \(error)")
    }
}
