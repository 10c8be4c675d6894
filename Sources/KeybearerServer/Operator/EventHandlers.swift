import Foundation
import Keybearer
import NIOCore

/// The operator API's events: the catalogue of what the product tells, and publishing.
struct EventHandlers: Sendable {
    let events: EventService
    let writes: WriteService
    let directory: DirectoryService

    init(_ services: Services) {
        (events, writes, directory) = (services.events, services.writes, services.directory)
    }

    static let typeMembers = [
        Endpoint.FormField(
            name: "description", isRequired: true, description: "What has happened, for those who choose events.",
            schema: NameRules.schema(ofCharacters: EventType.mostDescription)),
        Endpoint.FormField(
            name: "example", description: "What a message says: an object.", schema: ["type": "object"]),
    ]
    static let eventMembers = [
        Endpoint.FormField(
            name: "id", isRequired: true,
            description: "The product's own id of the event: the same one, for the same workspace, is queued once.",
            schema: ["type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[!-~]{1,200}$"]),
        Endpoint.FormField(
            name: "type", isRequired: true, description: "The name of a kind of event of the catalogue.",
            schema: EventName.schema),
        Endpoint.FormField(
            name: "workspace", isRequired: true, description: "Whose webhooks get it.",
            schema: WorkspaceID.referenceSchema),
        Endpoint.FormField(
            name: "user", description: "Whom it is about: the message is erased with the account.",
            schema: UserID.referenceSchema),
        Endpoint.FormField(
            name: "object", isRequired: true,
            description: "What the message says: an object of at most 64 KiB.", schema: ["type": "object"]),
    ]
    /// Many of them.
    static let batchMembers = [
        Endpoint.FormField(
            name: "events", isRequired: true, description: "The events, each as one alone is published.",
            schema: [
                "type": "array", "minItems": 1, "maxItems": mostEvents,
                "items": [
                    "type": "object", "required": eventMembers.filter(\.isRequired).map(\.name),
                    "properties": Dictionary(uniqueKeysWithValues: eventMembers.map { ($0.name, $0.schema) }),
                    "additionalProperties": false,
                ] as Schema,
            ])
    ]

    static let mostEvents = 1_000
    /// The most levels of a body: those of the batch, and of what the product says.
    private static let mostLevels = 32

    /// `GET /operator/v1/event-types`
    @Sendable func types(_ request: OperatorRequest) async throws -> PlainList<EventTypeJSON> {
        PlainList(try await events.types().map { EventTypeJSON($0) })
    }

    /// `PUT /operator/v1/event-types/{eventType}`
    @Sendable func put(_ request: OperatorRequest) async throws -> Success<EventTypeJSON> {
        let body = try JSONInput.foundationObject(request.context, mostLevels: Self.mostLevels)
        var json = JSONInput(body, Self.typeMembers)
        let description = json.text("description") ?? ""
        var example: String?
        if let object = body["example"] {
            example = JSONInput.bytes(ofObject: object).map { String(decoding: $0, as: UTF8.self) }
            if example == nil { json.report("example", "It must be an object.") }
        }
        try json.finish()
        return Success(
            EventTypeJSON(
                try await events.put(
                    try Self.name(request), description: description, example: example,
                    by: request.caller.authority)))
    }

    /// `DELETE /operator/v1/event-types/{eventType}`
    @Sendable func delete(_ request: OperatorRequest) async throws -> NoContent {
        try request.context.requireNoContent()
        try await events.delete(try Self.name(request), by: request.caller.authority)
        return NoContent()
    }

    private static func name(_ request: OperatorRequest) throws(KeybearerError) -> EventName {
        guard let name = EventName(parsing: request.context.parameters["eventType"] ?? "") else {
            throw KeybearerError.validation(["name": EventName.rule])
        }
        return name
    }

    /// `POST /operator/v1/events`
    @Sendable func publish(_ request: OperatorRequest) async throws -> Success<PublishedEventJSON> {
        let body = try JSONInput.foundationObject(request.context, mostLevels: Self.mostLevels)
        let published = try await publish([body], by: request.caller.authority) { _, member in member }
        guard let first = published.first else { throw KeybearerError(.internalError, "Something went wrong.") }
        return Success(first)
    }

    /// `POST /operator/v1/events/batch`: all of them are queued, or none.
    @Sendable func publishBatch(_ request: OperatorRequest) async throws -> PlainList<PublishedEventJSON> {
        let body = try JSONInput.foundationObject(request.context, mostLevels: Self.mostLevels)
        var outer = JSONInput(body, Self.batchMembers)
        let sent = body["events"] as? [Any] ?? []
        let objects = sent.compactMap { $0 as? [String: Any] }
        if !(1...Self.mostEvents).contains(objects.count) || objects.count != sent.count {
            outer.report("events", "It must be a list of 1 to \(Self.mostEvents) objects.")
        }
        try outer.finish()
        return PlainList(
            try await publish(objects, by: request.caller.authority) { "events.\($0).\($1)" })
    }

    /// - Parameter name: what a problem with a member of one of them is reported as.
    private func publish(
        _ objects: [[String: Any]], by authority: Authority, naming name: (Int, String) -> String
    ) async throws -> [PublishedEventJSON] {
        let known = Set(try await events.types().map(\.name))
        var references = References(writes: writes, directory: directory)
        var problems: [String: String] = [:]
        var publications: [EventService.Publication] = []
        for (index, object) in objects.enumerated() {
            var json = JSONInput(object, Self.eventMembers)
            let publication = try await Self.publication(object, &json, known, &references)
            for (member, problem) in json.found { problems[name(index, member)] = problem }
            if let publication { publications.append(publication) }
        }
        if !problems.isEmpty {
            // Not thousands of them: whoever sends such a batch makes the same mistake in each.
            let shown = problems.sorted { $0.key < $1.key }.prefix(20)
            throw KeybearerError.validation(Dictionary(uniqueKeysWithValues: shown.map { ($0.key, $0.value) }))
        }
        if let missing = references.missing { throw KeybearerError(.notFound, missing) }
        let results = try await events.publish(publications, by: authority)
        return zip(publications, results).map {
            PublishedEventJSON(id: $0.id, messageId: $1.id.rawValue, duplicate: !$1.isNew)
        }
    }

    private static func publication(
        _ object: [String: Any], _ json: inout JSONInput, _ known: Set<EventName>, _ references: inout References
    ) async throws -> EventService.Publication? {
        let id = json.text("id") ?? ""
        if !(1...200).contains(id.utf8.count) || !id.utf8.allSatisfy({ $0 > 32 && $0 < 127 }) {
            json.reportIfAbsent("id", "Use 1 to 200 visible ASCII characters.")
        }
        let type = EventName(parsing: json.text("type") ?? "")
        if type == nil { json.reportIfAbsent("type", EventName.rule) }
        if let type, !known.contains(type) {
            references.miss(
                "There is no kind of event \"\(type)\". Put it into the catalogue: PUT /operator/v1/event-types/\(type)."
            )
        }
        let workspaceID = try await references.workspace(json.text("workspace"), &json)
        let userID = try await references.user(json.text("user"), &json)
        let bytes = object["object"].flatMap { JSONInput.bytes(ofObject: $0) }
        if bytes == nil { json.reportIfAbsent("object", "It must be an object.") }
        if let bytes, bytes.count > NewWebhookMessage.mostObjectBytes {
            json.report("object", "It has more than 64 KiB.")
        }
        guard let type, let workspaceID, let bytes, json.found.isEmpty else { return nil }
        return EventService.Publication(id: id, type: type, workspaceID: workspaceID, userID: userID, object: bytes)
    }

    /// Workspaces and users that a batch names, each looked up once.
    private struct References {
        let writes: WriteService
        let directory: DirectoryService
        private var workspaces: [String: WorkspaceID] = [:]
        private var users: [String: UserID] = [:]
        /// The first thing that is named and not there.
        private(set) var missing: String?

        init(writes: WriteService, directory: DirectoryService) {
            self.writes = writes
            self.directory = directory
        }

        mutating func workspace(_ text: String?, _ json: inout JSONInput) async throws -> WorkspaceID? {
            guard let text else { return nil }
            if let id = workspaces[text] { return id }
            guard let reference = Reference<WorkspaceID>(text) else {
                json.report("workspace", "It must be ws_… or ext:….")
                return nil
            }
            guard let id = try await present(reference) else {
                miss("There is no workspace \(text).")
                return nil
            }
            workspaces[text] = id
            return id
        }

        mutating func miss(_ what: String) { missing = missing ?? what }

        private func present(_ reference: Reference<WorkspaceID>) async throws -> WorkspaceID? {
            do {
                return try await directory.workspace(reference).workspace.id
            } catch let error as KeybearerError where error.code == .notFound {
                return nil
            }
        }

        mutating func user(_ text: String?, _ json: inout JSONInput) async throws -> UserID? {
            guard let text else { return nil }
            if let id = users[text] { return id }
            guard let reference = Reference<UserID>(text) else {
                json.report("user", "It must be usr_… or ext:….")
                return nil
            }
            guard let id = try await writes.account(reference)?.user.id else {
                miss("There is no account \(text).")
                return nil
            }
            users[text] = id
            return id
        }
    }
}
