import Foundation

/// JSON as people read it: short objects and lists on one line, others indented, members in the order of real responses.
enum JSONLayout {
    /// The longest line.
    private static let width = 72

    /// The text of a value; nil for what is no JSON.
    static func text(_ json: [UInt8]) -> String? {
        (try? JSONDecoder().decode(JSONValue.self, from: Data(json))).map { text($0) }
    }

    /// The text of a value.
    static func text(_ value: JSONValue, indent: Int = 0) -> String {
        let short = line(value)
        if indent + short.count <= width { return short }
        let inner = String(repeating: " ", count: indent + 2)
        let outer = String(repeating: " ", count: indent)
        switch value {
        case .array(let values):
            return "[\n" + values.map { inner + text($0, indent: indent + 2) }.joined(separator: ",\n") + "\n\(outer)]"
        case .object(let members):
            let lines = members.sorted { $0.key < $1.key }
                .map { inner + quoted($0.key) + ": " + text($0.value, indent: indent + 2) }
            return "{\n" + lines.joined(separator: ",\n") + "\n\(outer)}"
        case .null, .flag, .number, .text: return short
        }
    }

    /// The value on one line.
    static func line(_ value: JSONValue) -> String {
        switch value {
        case .null: return "null"
        case .flag(let flag): return flag ? "true" : "false"
        case .number(let number): return Int(exactly: number).map { String($0) } ?? String(number)
        case .text(let text): return quoted(text)
        case .array(let values): return "[" + values.map { line($0) }.joined(separator: ", ") + "]"
        case .object(let members):
            let parts = members.sorted { $0.key < $1.key }.map { quoted($0.key) + ": " + line($0.value) }
            return "{" + parts.joined(separator: ", ") + "}"
        }
    }

    /// The same as a value of Python.
    static func python(_ value: JSONValue) -> String {
        switch value {
        case .null: return "None"
        case .flag(let flag): return flag ? "True" : "False"
        case .number, .text: return line(value)
        case .array(let values): return "[" + values.map { python($0) }.joined(separator: ", ") + "]"
        case .object(let members):
            let parts = members.sorted { $0.key < $1.key }.map { quoted($0.key) + ": " + python($0.value) }
            return "{" + parts.joined(separator: ", ") + "}"
        }
    }

    private static func quoted(_ text: String) -> String {
        (try? JSONText.encode(text)).map { String(decoding: $0, as: UTF8.self) } ?? "\"\""
    }
}
