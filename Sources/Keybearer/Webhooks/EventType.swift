/// A kind of event that the product publishes: what people choose from.
package struct EventType: Sendable, Hashable {
    /// Its name; the part before the first dot groups it.
    package let name: EventName
    /// What has happened, for people.
    package let description: String
    /// What a message says, as JSON; nil for none.
    package let example: String?
    /// When it was put into the catalogue last.
    package let updatedAt: Timestamp

    /// The most kinds of a deployment.
    package static let most = 500
    /// The most characters of a description.
    package static let mostDescription = 500
    /// The most bytes of a description: one character can be made of any number of marks.
    private static let mostDescriptionBytes = 2_000
    /// The most bytes of an example.
    package static let mostExampleBytes = 4_096

    /// What is wrong with a description; nil where it may be shown to people.
    static func problem(withDescription text: String) -> String? {
        guard (1...mostDescription).contains(text.count), text.utf8.count <= mostDescriptionBytes else {
            return "Use 1 to \(mostDescription) characters."
        }
        let scalars = Array(text.unicodeScalars)
        let unseen = scalars.indices.first { NameRules.isUnseen(at: $0, in: scalars) }
        return unseen.map { "It contains the invisible character \(scalars[$0].codePoint). Remove it." }
    }

    /// Puts the parts together.
    package init(name: EventName, description: String, example: String?, updatedAt: Timestamp) {
        self.name = name
        self.description = description
        self.example = example
        self.updatedAt = updatedAt
    }
}

/// The catalogue as the store keeps it.
package protocol EventTypeStore: Sendable {
    /// All kinds, in the order of their names.
    func eventTypes() async throws -> [EventType]
    /// Adds one or replaces it.
    ///
    /// - Throws: `CONFLICT` beyond ``EventType/most``.
    func putEventType(_ type: EventType, by authority: Authority, audit: AuditEvent) async throws
    /// Removes one. Webhooks that chose it keep it among their events.
    ///
    /// - Throws: `NOT_FOUND`.
    func deleteEventType(_ name: EventName, by authority: Authority, audit: AuditEvent) async throws
}
