import Foundation
import Keybearer
import KeybearerOutbound
import KeybearerServer
import Logging

/// All settings, read and checked: what is wrong is said before anything starts.
struct LoadedSettings: Sendable {
    /// How log lines look.
    enum LogFormat: String, Sendable {
        case text
        case json
    }

    let database: DatabaseLocation
    /// The most connections to PostgreSQL, besides those of the fence.
    let databaseConnections: Int
    /// How long a server waits at its start for a database that is not up yet.
    let databaseWait: Duration
    let masterKeyPath: String
    /// Whether a key may regenerate itself; nil leaves that to the database.
    let isRegenerateByKeyOpen: Bool?
    let provider: ProviderOptions
    let mail: MailOptions
    var webhooks = WebhookSender.Settings()
    var services = Services.Settings()
    var server = KeybearerServer.Settings()
    let logFormat: LogFormat
    let logLevel: Logger.Level
    /// What the audit log has of them: those that decide what holds for people and programs, where they are not the
    /// defaults.
    let noted: [String: String]

    /// Reads every setting.
    ///
    /// - Parameter isDemonstration: allows what is not fit for production: cheap password hashes.
    /// - Throws: ``SettingError`` for the first that is not accepted.
    init(
        _ options: SettingOptions, isDemonstration: Bool = false,
        environment: [String: String] = ProcessInfo.processInfo.environment
    ) throws(SettingError) {
        let reader = SettingReader(sources: try SettingSources(flags: options, environment: environment))
        database = try reader.required(.database) { DatabaseLocation($0) }
        databaseConnections = try reader.number(.databaseConnections, from: 1, to: 200)
        databaseWait = try reader.span(.databaseWait, from: .zero, to: .seconds(3_600))
        masterKeyPath = try reader.path(.masterKeyFile)
        logFormat = try reader.required(.logFormat) { LogFormat(rawValue: $0) }
        logLevel = try reader.required(.logLevel) { text in
            ["debug", "info", "notice", "warning", "error"].contains(text) ? Logger.Level(rawValue: text) : nil
        }

        noted = reader.noted()
        provider = try reader.provider()
        services.identities = provider.identities
        let prefix = try reader.required(.keyPrefix) { KeyPrefix($0) }
        services.keyPrefix = prefix
        services.lease = try reader.span(.lease, from: .milliseconds(500), to: .seconds(30))
        services.rememberedAccounts = try reader.number(.rememberedAccounts, from: 1_000, to: 100_000_000)
        services.usageRetention = .seconds(86_400 * (try reader.number(.usageRetention, from: 31, to: 3_660)))
        services.webhookRetention = .seconds(86_400 * (try reader.number(.webhookRetention, from: 15, to: 365)))
        webhooks.allowedNetworks = try reader.networks(.webhookAllowedNetworks)
        webhooks.trustedCertificates = try reader.optional(.webhookCertificates) { $0.isEmpty ? nil : $0 }
        isRegenerateByKeyOpen = try reader.optional(.regenerateByKey) { ["open": true, "closed": false][$0] }
        services.isSignUpOpen = try reader.required(.signUp) { ["open": true, "closed": false][$0] }
        let lowestCost = isDemonstration ? 10 : PasswordHasher.productionCost
        services.auditRetention = try reader.optional(.auditRetention, SettingReader.days)
        services.passwordCost = try reader.number(.passwordCost, from: lowestCost, to: 20)

        (server.host, server.port) = try reader.required(.address, SettingReader.hostAndPort)
        server.tls = try reader.tls()
        server.publicURL = try reader.place(.publicURL)
        server.apiURL = try reader.url(.apiURL)
        // The host of api-url is the product's own, with other paths beside these.
        webhooks.ownURLs = [server.publicURL?.description, server.apiURL.map { "\($0)/api/v1" }].compactMap(\.self)
        server.brand = try reader.brand()
        mail = try reader.mail(server.publicURL)
        services.isMailOn = mail.isOn
        services.portalReturnURLs = try reader.returnURLs(.portalReturnURLs)
        server.embedOrigins = try reader.embedOrigins(.embedOrigins)
        server.trustedProxies = try reader.networks(.trustedProxies)
        server.operatorAddress = try reader.optional(.operatorAddress, SettingReader.gateAddress)
        server.metricsAddress = try reader.optional(.metricsAddress, SettingReader.gateAddress)
        if server.metricsAddress != nil { services.metrics = PrometheusRegistry() }
        server.accessLog = try reader.accessLog()
        server.gate = try reader.gate()
        server.keyPrefix = prefix
        server.headerBytes = try reader.number(.headerBytes, from: 4_096, to: 131_072)
        server.headerCount = try reader.number(.headerCount, from: 20, to: 1_000)
        // Each connection to PostgreSQL is a file, and those of the fence are too.
        server.reservedFiles += databaseConnections + 3
        server.headTimeout = try reader.span(.headTimeout, from: .seconds(1), to: .seconds(60))
        server.requestTimeout = try reader.span(.requestTimeout, from: .seconds(1), to: .seconds(600))
        server.idleTimeout = try reader.span(.idleTimeout, from: .seconds(1), to: .seconds(3_600))
        server.stopTimeout = try reader.span(.stopTimeout, from: .seconds(1), to: .seconds(600))
    }
}

extension LoadedSettings {
    /// Where the gate listens, as text for a person: a URL with the port that it got, or the socket's path.
    func gateHost(_ port: Int) -> String { Self.place(server.gate?.address, port, scheme: "http") }

    /// Where the operator API listens, in the same way.
    func operatorHost(_ port: Int) -> String {
        Self.place(server.operatorAddress, port, scheme: server.tls == nil ? "http" : "https")
    }

    /// Where the metrics are, in the same way.
    func metricsHost(_ port: Int) -> String { Self.place(server.metricsAddress, port, scheme: "http") }

    private static func place(_ address: GateSettings.Address?, _ port: Int, scheme: String) -> String {
        switch address {
        case .network(let host, _): "\(scheme)://\(GateSettings.Address.network(host: host, port: port))"
        case .unixSocket, nil: address?.description ?? ""
        }
    }
}
