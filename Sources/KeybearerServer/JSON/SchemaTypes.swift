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
        [
            "type": "string", "maxLength": "ext:".utf8.count + ExternalID.longest,
            "pattern": "^(\(prefix)[0-9A-Za-z]{1,40}|ext:\(ExternalID.pattern))$",
        ]
    }
}

extension ExternalID {
    fileprivate static let longest = 255
    /// ``Keybearer/ExternalID`` as a regular expression, but for its length.
    fileprivate static let pattern = #"\.*[!"$&-\-0->@-Z\[\]^-~][!"$&-.0->@-Z\[\]^-~]*"#
    static var schema: Schema { ["type": "string", "maxLength": longest, "pattern": "^\(pattern)$"] }
    static var nullableSchema: Schema { ["anyOf": [schema, ["type": "null"]] as [Schema]] }
}

// What a request sends, as narrow as JSON Schema can say it.

extension EmailAddress {
    static let schema: Schema = ["type": "string", "format": "email", "maxLength": 254]
}

extension NameRules {
    /// Letters, marks, digits, punctuation, symbols and spaces, with the joiners of scripts and emoji.
    private static let seen =
        #"[\p{L}\p{M}\p{N}\p{P}\p{S} \u00A0\u1680\u2000-\u200A\u202F\u205F\u3000\u200C\u200D]"#
    /// What is in those classes and nobody sees.
    private static let unseen =
        #"[\u034F\u115F\u1160\u17B4\u17B5\u180B-\u180D\u180F\u2800\u3164\uFE00-\uFE0D\uFFA0]"#
    /// The rules, without those about joiners.
    static let schema = schema(ofCharacters: 200)

    /// The same rules for a text of another length.
    static func schema(ofCharacters most: Int) -> Schema {
        [
            "type": "string", "minLength": 1, "maxLength": most,
            "pattern": #"^(?!.*\#(unseen))\#(seen)*[\p{L}\p{N}\p{P}\p{S}]\#(seen)*$"#,
        ]
    }
}

extension BillingURL {
    /// An absolute URL without a user name, with a host that is a name or an IPv4 address.
    static let pattern =
        #"^[Hh][Tt][Tt][Pp][Ss]?://[0-9A-Za-z_-][0-9A-Za-z._-]{0,252}(:([1-9][0-9]{0,3}|[1-5][0-9]{4}))?"#
        + #"([/?#][!#-;=?-Z\[\]_a-z~]*)?$"#
    static let nullableSchema: Schema = ["type": ["string", "null"], "maxLength": 2_048, "pattern": pattern]
}

extension UserID: Encodable, SchemaType {}
extension WorkspaceID: Encodable, SchemaType {}

extension PlanID: Encodable, SchemaType {
    package static var schema: Schema { String.schema }
    /// Of a request.
    static let requestSchema: Schema = ["type": "string", "pattern": "^[a-z0-9_-]{1,40}$"]
    static let nullableRequestSchema: Schema = ["type": ["string", "null"], "pattern": "^[a-z0-9_-]{1,40}$"]
}

extension Feature: Encodable, SchemaType {
    package static var schema: Schema { String.schema }
    /// Of a request: a database may hold others.
    static let listSchema: Schema = [
        "type": "array", "items": ["type": "string", "enum": all.map(\.rawValue)] as Schema,
    ]
}

extension Role: SchemaType {
    package static var schema: Schema { ["type": "string", "enum": allCases.map(\.rawValue)] }
}

extension User.Kind: Encodable, SchemaType {
    package static var schema: Schema { ["type": "string", "enum": allCases.map(\.rawValue)] }
}

extension ErrorCode: Encodable, SchemaType {
    package static var schema: Schema { ["type": "string", "enum": allCases.map(\.rawValue)] }
}

extension Timestamp: Encodable, SchemaType {
    package static var schema: Schema { ["type": "string", "format": "date-time"] }
    /// Of a request.
    static let nullableSchema: Schema = ["anyOf": [schema, ["type": "null"]] as [Schema]]

    /// RFC 3339 in UTC with milliseconds.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
