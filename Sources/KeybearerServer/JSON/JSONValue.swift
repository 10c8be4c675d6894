import Foundation

/// Any JSON: what a program sent, before it is known what it should be.
///
/// Numbers and booleans stay apart: `1` is not `true`.
enum JSONValue: Codable, Sendable, Hashable {
    case null
    case flag(Bool)
    case number(Double)
    case text(String)
    case array([JSONValue])
    case object([String: JSONValue])

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let flag = try? container.decode(Bool.self) {
            self = .flag(flag)
        } else if let number = try? container.decode(Double.self) {
            self = .number(number)
        } else if let text = try? container.decode(String.self) {
            self = .text(text)
        } else if let array = try? container.decode([JSONValue].self) {
            self = .array(array)
        } else {
            self = .object(try container.decode([String: JSONValue].self))
        }
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .null: try container.encodeNil()
        case .flag(let flag): try container.encode(flag)
        case .number(let number): try container.encode(number)
        case .text(let text): try container.encode(text)
        case .array(let array): try container.encode(array)
        case .object(let object): try container.encode(object)
        }
    }
}

extension JSONValue {
    /// Reads what `JSONSerialization` makes; a truth value becomes a number.
    init(_ value: Any) {
        switch value {
        case let text as String: self = .text(text)
        case let array as [Any]: self = .array(array.map { JSONValue($0) })
        case let object as [String: Any]: self = .object(object.mapValues { JSONValue($0) })
        case is NSNull: self = .null
        // Which numbers are truth values, it does not say everywhere.
        case let number as NSNumber: self = .number(number.doubleValue)
        default: self = .null
        }
    }
}

extension JSONValue: SchemaType {
    static var schema: Schema { [:] }
}
