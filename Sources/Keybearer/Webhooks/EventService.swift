/// What the product tells its users' workspaces.
package final class EventService: Sendable {
    private let context: ServiceContext
    private let wake: @Sendable () -> Void

    init(context: ServiceContext, wake: @escaping @Sendable () -> Void) {
        self.context = context
        self.wake = wake
    }

    /// An event that the product publishes.
    package struct Publication: Sendable {
        /// The product's own id of it: the same one is queued once.
        package let id: String
        package let type: EventName
        package let workspaceID: WorkspaceID
        /// Whom it is about: erased with the account.
        package let userID: UserID?
        /// JSON, an object.
        package let object: [UInt8]

        /// Puts the parts together.
        package init(id: String, type: EventName, workspaceID: WorkspaceID, userID: UserID?, object: [UInt8]) {
            self.id = id
            self.type = type
            self.workspaceID = workspaceID
            self.userID = userID
            self.object = object
        }
    }

    /// The catalogue of the product's events, in the order of their names.
    package func types() async throws -> [EventType] { try await context.store.eventTypes() }

    /// Adds a kind of event, or replaces one.
    ///
    /// - Throws: `VALIDATION_FAILED` with the fields `name`, `description`, `example`; `CONFLICT` beyond 500.
    package func put(
        _ name: EventName, description: String, example: String?, by authority: Authority
    ) async throws -> EventType {
        var problems: [String: String] = [:]
        if name.isReserved { problems["name"] = "Events of the group \(name.group) are Keybearer's own." }
        problems["description"] = EventType.problem(withDescription: description)
        if let example, example.utf8.count > EventType.mostExampleBytes {
            problems["example"] = "It has more than \(EventType.mostExampleBytes) bytes."
        }
        if !problems.isEmpty { throw KeybearerError.validation(problems) }
        let type = EventType(name: name, description: description, example: example, updatedAt: context.clocks.wall())
        try await context.store.putEventType(
            type, by: authority, audit: context.event(.eventTypePut, by: authority, detail: name.rawValue))
        return type
    }

    /// Removes a kind of event.
    ///
    /// - Throws: `NOT_FOUND`.
    package func delete(_ name: EventName, by authority: Authority) async throws {
        try await context.store.deleteEventType(
            name, by: authority, audit: context.event(.eventTypeDeleted, by: authority, detail: name.rawValue))
    }

    /// Queues events. Each is queued once, whatever is sent again: it is known by its workspace and the product's id.
    ///
    /// - Returns: the id of each one's message, and whether it was queued now.
    /// - Throws: `UNAVAILABLE`: nothing or everything was queued; sending all again is right.
    package func publish(
        _ events: [Publication], by authority: Authority
    ) async throws -> [(id: WebhookMessageID, isNew: Bool)] {
        let now = context.clocks.wall()
        let messages = events.enumerated().map { place, event in
            NewWebhookMessage(
                id: .random(from: context.random, at: now, place: place), event: event.type,
                workspaceID: event.workspaceID,
                userID: event.userID, at: now, object: event.object, source: "\(event.workspaceID) \(event.id)")
        }
        let results = try await context.store.enqueue(
            messages, by: authority, audit: context.event(.eventsPublished, by: authority))
        wake()
        return results
    }
}
