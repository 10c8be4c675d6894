import Configuration
import Foundation
import SystemPackage

/// The places that settings come from, asked in order: flags, environment, file.
struct SettingSources: Sendable {
    /// A value with the place it came from.
    struct Found: Sendable {
        let value: String
        let source: String
    }

    private let flags: [Setting: String]
    private let environment: ConfigReader
    private let file: (path: String, reader: ConfigReader)?

    /// Reads the file that `--config` or `KEYBEARER_CONFIG` names, if one does.
    ///
    /// - Throws: ``SettingError`` when the file cannot be read or holds a name that is no setting: a misspelt
    ///   setting must not be passed over.
    init(flags: SettingOptions, environment variables: [String: String]) async throws {
        self.flags = flags.given
        environment = ConfigReader(provider: EnvironmentVariablesProvider(environmentVariables: variables))
            .scoped(to: "keybearer")
        guard let path = flags.config ?? environment.string(forKey: "config") else {
            file = nil
            return
        }
        let source = flags.config != nil ? "--config" : "KEYBEARER_CONFIG"
        do {
            let names = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: path)))
            guard let object = names as? [String: Any] else { throw CocoaError(.propertyListReadCorrupt) }
            if let unknown = object.keys.sorted().first(where: { Setting(rawValue: $0) == nil }) {
                let known = Setting.allCases.map(\.rawValue).joined(separator: ", ")
                throw SettingError(
                    name: unknown, got: "a name that is no setting", source: path, wants: "one of \(known)")
            }
            file = (path, ConfigReader(provider: try await FileProvider<JSONSnapshot>(filePath: FilePath(path))))
        } catch let error as SettingError {
            throw error
        } catch {
            throw SettingError(
                name: "config", got: "'\(path)', which cannot be read as JSON", source: source,
                wants: "the path of a JSON file with one object")
        }
    }

    /// The first value that one of the places has; nil when only the default remains.
    func find(_ setting: Setting) -> Found? {
        if let value = flags[setting] { return Found(value: value, source: "--\(setting.rawValue)") }
        let key = ConfigKey([setting.rawValue])
        if let value = environment.string(forKey: key) { return Found(value: value, source: setting.variable) }
        guard let file else { return nil }
        if let value = Self.text(of: key, in: file.reader) { return Found(value: value, source: file.path) }
        return nil
    }

    /// A value of the file as text, whichever JSON type it has.
    private static func text(of key: ConfigKey, in reader: ConfigReader) -> String? {
        if let text = reader.string(forKey: key) { return text }
        if let number = reader.int(forKey: key) { return String(number) }
        if let list = reader.stringArray(forKey: key) { return list.joined(separator: ",") }
        if let flag = reader.bool(forKey: key) { return String(flag) }
        return reader.double(forKey: key).map { String($0) }
    }
}
