import Foundation
import Keybearer
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
    var deployment = Deployment.Settings()
    var server = KeybearerServer.Settings()
    let logFormat: LogFormat
    let logLevel: Logger.Level

    /// Reads every setting.
    ///
    /// - Parameter isDemonstration: allows what is not fit for production: cheap password hashes.
    /// - Throws: ``SettingError`` for the first that is not accepted.
    init(
        _ options: SettingOptions, isDemonstration: Bool = false,
        environment: [String: String] = ProcessInfo.processInfo.environment
    ) async throws {
        let reader = SettingReader(sources: try await SettingSources(flags: options, environment: environment))
        database = try reader.required(.database) { DatabaseLocation($0) }
        databaseConnections = try reader.number(.databaseConnections, from: 1, to: 200)
        databaseWait = try reader.span(.databaseWait, from: .zero, to: .seconds(3_600))
        masterKeyPath = try reader.path(.masterKeyFile)
        logFormat = try reader.required(.logFormat) { LogFormat(rawValue: $0) }
        logLevel = try reader.required(.logLevel) { text in
            ["debug", "info", "notice", "warning", "error"].contains(text) ? Logger.Level(rawValue: text) : nil
        }

        let prefix = try reader.required(.keyPrefix) { KeyPrefix($0) }
        deployment.keyPrefix = prefix
        deployment.lease = try reader.span(.lease, from: .milliseconds(500), to: .seconds(30))
        deployment.rememberedAccounts = try reader.number(.rememberedAccounts, from: 1_000, to: 100_000_000)
        isRegenerateByKeyOpen = try reader.optional(.regenerateByKey) { ["open": true, "closed": false][$0] }
        deployment.isSignUpOpen = try reader.required(.signUp) { ["open": true, "closed": false][$0] }
        let lowestCost = isDemonstration ? 10 : PasswordHasher.productionCost
        deployment.passwordCost = try reader.number(.passwordCost, from: lowestCost, to: 20)

        (server.host, server.port) = try reader.required(.address, SettingReader.hostAndPort)
        server.tls = try reader.tls()
        server.publicURL = try reader.origin(.publicURL)
        server.trustedProxies = try reader.networks(.trustedProxies)
        server.gate = try reader.gate()
        server.keyPrefix = prefix
        server.headerBytes = try reader.number(.headerBytes, from: 4_096, to: 131_072)
        server.headerCount = try reader.number(.headerCount, from: 20, to: 1_000)
        server.idleTimeout = try reader.span(.idleTimeout, from: .seconds(1), to: .seconds(3_600))
        server.stopTimeout = try reader.span(.stopTimeout, from: .seconds(1), to: .seconds(600))
    }
}

extension LoadedSettings {
    /// The gate's address for a person, with the port that it got.
    func gateHost(_ port: Int) -> String {
        switch server.gate?.address {
        case .network(let host, _): "http://\(GateSettings.Address.network(host: host, port: port))"
        case .unixSocket, nil: server.gate?.address.description ?? ""
        }
    }
}

/// Reads settings one by one and says exactly what is wrong with one.
struct SettingReader: Sendable {
    let sources: SettingSources

    /// A setting that has a default.
    func required<Value>(_ setting: Setting, _ parse: (String) -> Value?) throws(SettingError) -> Value {
        let found = sources.find(setting)
        guard let value = parse(found?.value ?? setting.defaultValue ?? "") else { throw refusal(setting, found) }
        return value
    }

    /// A setting that may be absent.
    func optional<Value>(_ setting: Setting, _ parse: (String) -> Value?) throws(SettingError) -> Value? {
        guard let found = sources.find(setting) else { return nil }
        guard let value = parse(found.value) else { throw refusal(setting, found) }
        return value
    }

    func path(_ setting: Setting) throws(SettingError) -> String {
        try required(setting) { $0.isEmpty || $0.contains("\0") ? nil : $0 }
    }

    func number(_ setting: Setting, from least: Int, to most: Int) throws(SettingError) -> Int {
        try required(setting) { text in Int(text).flatMap { (least...most).contains($0) ? $0 : nil } }
    }

    func span(_ setting: Setting, from least: Duration, to most: Duration) throws(SettingError) -> Duration {
        try required(setting) { text in Self.duration(text).flatMap { (least...most).contains($0) ? $0 : nil } }
    }

    /// Certificate and key: both or neither.
    func tls() throws(SettingError) -> (certificateFile: String, keyFile: String)? {
        func readable(_ path: String) -> String? { FileManager.default.isReadableFile(atPath: path) ? path : nil }
        let certificate = try optional(.tlsCertificate, readable)
        let key = try optional(.tlsKey, readable)
        switch (certificate, key) {
        case (nil, nil): return nil
        case (let certificate?, let key?): return (certificate, key)
        case (nil, _): throw missing(.tlsCertificate, beside: .tlsKey)
        case (_, nil): throw missing(.tlsKey, beside: .tlsCertificate)
        }
    }

    /// The gate's listener, where one is wanted.
    func gate() throws(SettingError) -> GateSettings? {
        let trusted = try networks(.gateTrustedProxies)
        let pattern = try optional(.gateWorkspacePath) { WorkspacePattern($0) }
        return try optional(.gateAddress, Self.gateAddress)
            .map { GateSettings(address: $0, trustedProxies: trusted, workspacePattern: pattern) }
    }

    /// `unix:/path` or `host:port`.
    static func gateAddress(_ text: String) -> GateSettings.Address? {
        guard text.hasPrefix("unix:") else {
            return hostAndPort(text).map { .network(host: $0.host, port: $0.port) }
        }
        let path = String(text.dropFirst(5))
        // The longest path that the system's address of a socket holds.
        return path.hasPrefix("/") && path.utf8.count <= 103 ? .unixSocket(path: path) : nil
    }

    private func missing(_ setting: Setting, beside other: Setting) -> SettingError {
        SettingError(
            name: setting.rawValue, got: "nothing", source: "any place",
            wants: "\(setting.wants), beside \(other.rawValue)")
    }

    private func refusal(_ setting: Setting, _ found: SettingSources.Found?) -> SettingError {
        SettingError(
            name: setting.rawValue,
            got: setting.isSecret ? "a value that is not shown" : "'\(found?.value ?? setting.defaultValue ?? "")'",
            source: found?.source ?? "its default", wants: setting.wants)
    }

    /// `500ms`, `2s`, `5m`, `1h`.
    static func duration(_ text: String) -> Duration? {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard let number = Int(digits), number <= 1_000_000 else { return nil }
        switch text.dropFirst(digits.count) {
        case "ms": return .milliseconds(number)
        case "s": return .seconds(number)
        case "m": return .seconds(number * 60)
        case "h": return .seconds(number * 3_600)
        default: return nil
        }
    }

    /// `host:port` with an IPv6 address in brackets.
    static func hostAndPort(_ text: String) -> (host: String, port: Int)? {
        guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
            (0...65_535).contains(port)
        else { return nil }
        var host = text[..<colon]
        if host.first == "[" {
            guard host.last == "]" else { return nil }
            host = host.dropFirst().dropLast()
            guard IPAddress(host) != nil else { return nil }
        } else if host.contains(":") {
            return nil
        }
        return host.isEmpty ? nil : (String(host), port)
    }
}
