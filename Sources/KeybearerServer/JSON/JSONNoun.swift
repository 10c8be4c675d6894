/// A schema of OpenAPI 3.1, which is JSON Schema.
package typealias Schema = [String: any Sendable]

/// A type of which the OpenAPI document knows the schema.
package protocol SchemaType {
    static var schema: Schema { get }
    /// Whether a member of this type is always there.
    static var isAlwaysThere: Bool { get }
    /// The nouns that the schema refers to.
    static var nouns: [any JSONNoun.Type] { get }
}

extension SchemaType {
    package static var isAlwaysThere: Bool { true }
    package static var nouns: [any JSONNoun.Type] { [] }
}

/// A noun of the API as JSON: a structure whose stored properties are the members of the object.
///
/// Its schema is derived from the types of its properties, so that the OpenAPI document says what is encoded: an
/// `Optional` is left out when it is nil, a ``Nullable`` is `null`.
package protocol JSONNoun: Encodable, Sendable, SchemaType {
    /// What the OpenAPI document calls it.
    static var noun: String { get }
    /// Any value. Only the types of its properties are looked at.
    static var sample: Self { get }
    /// The members that have another name than their property.
    static var renamed: [String: String] { get }
}

extension JSONNoun {
    package static var renamed: [String: String] { [:] }

    package static var schema: Schema { ["$ref": "#/components/schemas/\(noun)"] }

    /// This one, and those that it refers to.
    package static var nouns: [any JSONNoun.Type] { [Self.self] + members.flatMap { $0.type.nouns } }

    /// The schema of the object itself.
    package static var definition: Schema {
        let properties = members.map { ($0.name, $0.type.schema) }
        return [
            "type": "object",
            "properties": Dictionary(uniqueKeysWithValues: properties),
            "required": members.filter { $0.type.isAlwaysThere }.map(\.name),
        ]
    }

    /// The members, in the order of the properties.
    package static var members: [(name: String, type: any SchemaType.Type)] {
        Mirror(reflecting: sample).children.map { label, value in
            guard let label, let type = type(of: value) as? any SchemaType.Type else {
                preconditionFailure("\(noun).\(label ?? "") has no schema")
            }
            return (renamed[label] ?? label, type)
        }
    }
}

/// A member that is always there, and `null` where there is no value.
package struct Nullable<Value: Encodable & Sendable>: Encodable, Sendable {
    package let value: Value?

    init(_ value: Value?) {
        self.value = value
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(value)
    }
}
