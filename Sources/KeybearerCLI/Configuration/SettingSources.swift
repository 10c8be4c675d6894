import Foundation
import Keybearer

/// The places that settings come from, asked in order: flags, environment, file.
struct SettingSources: Sendable {
    /// A value with the place it came from.
    struct Found: Sendable {
        let value: String
        let source: String
    }

    private let flags: [Setting: String]
    private let variables: [String: String]
    private let file: [Setting: String]
    private let path: String

    /// Reads the file that `--config` or `KEYBEARER_CONFIG` names, if one does.
    ///
    /// - Throws: ``SettingError`` when the file cannot be read, or when the file or the environment holds a name that
    ///   is no setting, or the file a value of a wrong type: none of them may be ignored.
    init(flags: SettingOptions, environment variables: [String: String]) throws(SettingError) {
        self.flags = flags.given
        self.variables = variables
        try SettingNames.check(variables: variables)
        guard let path = flags.config ?? variables["KEYBEARER_CONFIG"] else {
            (file, self.path) = ([:], "")
            return
        }
        self.path = path
        file = try SettingsFile(path: path, namedBy: flags.config != nil ? "--config" : "KEYBEARER_CONFIG").values
    }

    /// The first value that one of the places has; nil when only the default remains.
    func find(_ setting: Setting) -> Found? {
        if let value = flags[setting] { return Found(value: value, source: "--\(setting.rawValue)") }
        if let value = variables[setting.variable] { return Found(value: value, source: setting.variable) }
        return file[setting].map { Found(value: $0, source: path) }
    }
}

/// The settings of a JSON file, as text.
private struct SettingsFile {
    let values: [Setting: String]

    init(path: String, namedBy source: String) throws(SettingError) {
        func unreadable(_ problem: String) -> SettingError {
            SettingError(
                name: "config", got: "'\(path)', which \(problem),", source: source,
                wants: "the path of a JSON file with one object")
        }
        let members: [JSONText.Member]
        do {
            guard let text = String(data: try Data(contentsOf: URL(fileURLWithPath: path)), encoding: .utf8) else {
                throw unreadable("is not UTF-8 text")
            }
            guard case .object(let found) = try JSONText.parse(text) else {
                throw unreadable("cannot be read as one JSON object")
            }
            members = found
        } catch let error as SettingError {
            throw error
        } catch let error as JSONText.Malformed {
            throw unreadable("cannot be read as JSON (line \(error.line): \(error.problem))")
        } catch {
            throw unreadable(FileManager.default.fileExists(atPath: path) ? "cannot be read" : "does not exist")
        }
        var values: [Setting: String] = [:]
        for member in members {
            guard let setting = Setting(rawValue: member.name) else {
                throw SettingNames.unknown(member.name, in: path, among: Setting.allCases.map(\.rawValue))
            }
            guard values[setting] == nil else {
                throw SettingError(
                    name: member.name, got: "two values", source: path, wants: "\(setting.wants), once")
            }
            values[setting] = try Self.text(member.value, of: setting, path: path)
        }
        self.values = values
    }

    /// A value as the text that a flag would have, where its type fits the setting.
    private static func text(_ value: JSONText, of setting: Setting, path: String) throws(SettingError) -> String {
        func refusal(_ got: String) -> SettingError {
            SettingError(
                name: setting.rawValue, got: got, source: path, wants: "\(setting.wants)\(types(setting.kind))")
        }
        switch (setting.kind, value) {
        case (_, .text(let text)): return text
        case (.wholeNumber, .number(let digits)): return digits
        case (.networks, .list(let elements)):
            var texts: [String] = []
            for element in elements {
                guard case .text(let text) = element else { throw refusal("an array with \(element.typeName)") }
                // A comma would hide in a joined text, and an empty one would vanish.
                guard !text.isEmpty, !text.contains(",") else { throw refusal("an array with '\(text)'") }
                texts.append(text)
            }
            return texts.joined(separator: ",")
        default: throw refusal(value.typeName)
        }
    }

    private static func types(_ kind: Setting.Kind) -> String {
        switch kind {
        case .text: ", as text"
        case .wholeNumber: ", as a number or text"
        case .networks: ", as an array of texts or one text"
        }
    }
}
