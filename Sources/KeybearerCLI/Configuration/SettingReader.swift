import Foundation
import Keybearer
import KeybearerServer

/// Reads settings one by one and says exactly what is wrong with one.
struct SettingReader: Sendable {
    let sources: SettingSources

    /// A setting that has a default.
    func required<Value>(_ setting: Setting, _ parse: (String) -> Value?) throws(SettingError) -> Value {
        let found = sources.find(setting)
        let text = found?.value ?? setting.defaultValue ?? ""
        guard let value = parse(text) else { throw refusal(setting, found) }
        return value
    }

    /// A setting that may be absent.
    func optional<Value>(_ setting: Setting, _ parse: (String) -> Value?) throws(SettingError) -> Value? {
        guard let found = sources.find(setting) else { return nil }
        guard let value = parse(found.value) else { throw refusal(setting, found) }
        return value
    }

    /// What the audit log has of the settings. Of the mail command it has the program: its arguments may hold a password.
    func noted() -> [String: String] {
        var values: [String: String] = [:]
        for setting in Setting.allCases where setting.isNoted {
            guard let value = sources.find(setting)?.value, value != setting.defaultValue else { continue }
            values[setting.rawValue] =
                setting == .mailCommand ? value.split(separator: " ").first.map(String.init) ?? "" : value
        }
        return values
    }

    func path(_ setting: Setting) throws(SettingError) -> String {
        try required(setting) { $0.isEmpty || $0.contains("\0") ? nil : $0 }
    }

    func number(_ setting: Setting, from least: Int, to most: Int) throws(SettingError) -> Int {
        try required(setting) { text in Self.wholeNumber(text).flatMap { (least...most).contains($0) ? $0 : nil } }
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

    /// What the access log has.
    func accessLog() throws(SettingError) -> AccessLog.Settings {
        let sample = try number(.accessLogSample, from: 1, to: 1_000_000)
        let format: AccessLog.Format? = try required(.accessLog) { text in
            text == "off" ? .some(nil) : AccessLog.Format(rawValue: text).map { .some($0) }
        }
        return AccessLog.Settings(format: format, sample: sample)
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

    func refusal(
        _ setting: Setting, _ found: SettingSources.Found?, because reason: String? = nil
    ) -> SettingError {
        SettingError(
            name: setting.rawValue,
            got: setting.isSecret ? "a value that is not shown" : "'\(found?.value ?? setting.defaultValue ?? "")'",
            source: found?.source ?? "its default", wants: setting.wants,
            reason: reason ?? Self.reason(setting, found))
    }

    /// What is wrong with a value, where more can be said than what is wanted.
    private static func reason(_ setting: Setting, _ found: SettingSources.Found?) -> String? {
        guard let found, !setting.isSecret else { return nil }
        if found.value.isEmpty { return found.source == setting.variable ? "To use the default, unset it" : nil }
        switch setting.kind {
        case .networks: return nil
        case .text, .wholeNumber:
            let trimmed = found.value.trimmingCharacters(in: .whitespacesAndNewlines)
            return trimmed == found.value ? nil : "There is white space around it"
        }
    }

    /// Digits alone: no sign, no exponent, no fraction.
    static func wholeNumber(_ text: some StringProtocol) -> Int? {
        guard !text.isEmpty, text.utf8.allSatisfy({ (48...57).contains($0) }) else { return nil }
        return Int(text)
    }

    /// `500ms`, `2s`, `5m`, `1h`.
    static func duration(_ text: String) -> Duration? {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        // Far above what any setting takes, and small enough for every unit.
        guard let number = wholeNumber(digits), number <= 1_000_000_000 else { return nil }
        switch text.dropFirst(digits.count) {
        case "ms": return .milliseconds(number)
        case "s": return .seconds(number)
        case "m": return .seconds(number * 60)
        case "h": return .seconds(number * 3_600)
        default: return nil
        }
    }

    /// `30d` and more.
    static func days(_ text: String) -> Duration? {
        guard text.hasSuffix("d"), let number = wholeNumber(text.dropLast()), (30...36_500).contains(number) else {
            return nil
        }
        return .seconds(number * 86_400)
    }

    /// `host:port` with an IPv6 address in brackets; the host `*` is all addresses of the machine.
    static func hostAndPort(_ text: String) -> (host: String, port: Int)? {
        guard let colon = text.lastIndex(of: ":"), let port = wholeNumber(text[text.index(after: colon)...]),
            (0...65_535).contains(port)
        else { return nil }
        let host = text[..<colon]
        if host == "*" { return (AllAddresses.host, port) }
        if host.first == "[" {
            guard host.last == "]" else { return nil }
            let address = host.dropFirst().dropLast()
            return IPAddress(address).map { _ in (String(address), port) }
        }
        let isName = host.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"):
                true
            default: false
            }
        }
        return isName && !host.isEmpty ? (String(host), port) : nil
    }
}
