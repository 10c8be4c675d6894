public import Keybearer

extension String: SchemaType {
    package static var schema: Schema { ["type": "string"] }
}

extension Int: SchemaType {
    package static var schema: Schema { ["type": "integer"] }
}

extension Int64: SchemaType {
    package static var schema: Schema { ["type": "integer", "format": "int64"] }
}

extension Bool: SchemaType {
    package static var schema: Schema { ["type": "boolean"] }
}

extension Optional: SchemaType where Wrapped: SchemaType {
    package static var schema: Schema { Wrapped.schema }
    package static var isAlwaysThere: Bool { false }
    package static var nouns: [any JSONNoun.Type] { Wrapped.nouns }
}

extension Nullable: SchemaType where Value: SchemaType {
    package static var schema: Schema { ["anyOf": [Value.schema, ["type": "null"]] as [Schema]] }
    package static var nouns: [any JSONNoun.Type] { Value.nouns }
}

extension Array: SchemaType where Element: SchemaType {
    package static var schema: Schema { ["type": "array", "items": Element.schema] }
    package static var nouns: [any JSONNoun.Type] { Element.nouns }
}

extension Dictionary: SchemaType where Key == String, Value: SchemaType {
    package static var schema: Schema { ["type": "object", "additionalProperties": Value.schema] }
    package static var nouns: [any JSONNoun.Type] { Value.nouns }
}

// What the domain's values are in JSON: text.

extension PrefixedID {
    package static var schema: Schema { ["type": "string", "pattern": "^\(prefix)[0-9A-Za-z]{1,40}$"] }
}

extension PrefixedID {
    /// Of a path or a member that takes the product's id too.
    static var referenceSchema: Schema {
        ["type": "string", "pattern": "^(\(prefix)[0-9A-Za-z]{1,40}|ext:\(ExternalID.pattern))$"]
    }
}

extension ExternalID {
    /// ``Keybearer/ExternalID`` as a regular expression, but for dots alone.
    fileprivate static let pattern = #"[!"$&-.0-Z\[\]^-~]{0,254}[!"$&-\-0-Z\[\]^-~]"#
    static var schema: Schema { ["type": "string", "pattern": "^\(pattern)$"] }
    static var nullableSchema: Schema { ["anyOf": [schema, ["type": "null"]] as [Schema]] }
}

extension UserID: Encodable, SchemaType {}
extension WorkspaceID: Encodable, SchemaType {}

extension PlanID: Encodable, SchemaType {
    package static var schema: Schema { String.schema }
}

extension Feature: Encodable, SchemaType {
    package static var schema: Schema { String.schema }
}

extension Role: SchemaType {
    package static var schema: Schema { ["type": "string", "enum": allCases.map(\.rawValue)] }
}

extension ErrorCode: Encodable, SchemaType {
    package static var schema: Schema { ["type": "string", "enum": allCases.map(\.rawValue)] }
}

extension Timestamp: Encodable, SchemaType {
    package static var schema: Schema { ["type": "string", "format": "date-time"] }

    /// RFC 3339 in UTC with milliseconds.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
