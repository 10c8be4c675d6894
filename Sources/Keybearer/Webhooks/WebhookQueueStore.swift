/// The queue of messages, as those who deliver them see it.
package protocol WebhookQueueStore: Sendable {
    /// Queues messages by themselves; those with a source that was queued before are left alone.
    ///
    /// - Parameter audit: names the act for whoever holds writes; nothing is written to the log.
    /// - Returns: the id that each one has, which is the earlier one's where it was queued before.
    func enqueue(
        _ messages: [NewWebhookMessage], by authority: Authority, audit: AuditEvent
    ) async throws -> [(id: WebhookMessageID, isNew: Bool)]
    /// Makes the deliveries of messages that are new, and gives them their places.
    ///
    /// - Returns: how many messages there were, at most `limit`.
    func spreadMessages(limit: Int, now: Timestamp) async throws -> Int
    /// The endpoints for which deliveries are due.
    func endpointsDue(now: Timestamp) async throws -> [DueEndpoint]
    /// Takes due deliveries: nobody else tries them before the claim runs out, by the store's clock.
    ///
    /// - Parameters:
    ///   - wanted: how many of each endpoint.
    ///   - claim: a new random number of this caller's.
    func claimDeliveries(
        _ wanted: [(endpointID: WebhookEndpointID, count: Int)], claim: [UInt8], now: Timestamp
    ) async throws -> [ClaimedDelivery]
    /// The versions of those endpoints that messages may go to now; the others are left out.
    func openVersions(of endpoints: [WebhookEndpointID]) async throws -> [WebhookEndpointID: Int]
    /// Ends what waits for an endpoint that gets nothing now.
    ///
    /// - Returns: how many there were, at most `limit`.
    func endWaiting(
        for endpointID: WebhookEndpointID, as state: WebhookDelivery.State, limit: Int, now: Timestamp
    ) async throws -> Int
    /// Writes what came of attempts, each under the claim that made it, and what follows for the endpoints. Those whose
    /// claim another has taken over change nothing.
    func record(_ attempts: [AttemptRecord], now: Timestamp) async throws
    /// Gives claimed deliveries back that were not tried.
    func releaseDeliveries(_ deliveries: [ClaimedDelivery]) async throws
    /// Removes messages with their deliveries that are older than a span.
    func removeOldWebhookMessages(olderThan age: Duration, now: Timestamp) async throws
    /// Removes the oldest deliveries that have ended, of endpoints behind whose place more than so many have come.
    func removeDeliveries(beyond most: Int) async throws
    /// Removes the deliveries of endpoints that were deleted.
    func removeOrphanedDeliveries() async throws
}

/// An endpoint for which deliveries are due.
package struct DueEndpoint: Sendable, Hashable {
    /// Whether messages may go there.
    package enum Standing: Sendable, Hashable {
        case open
        /// Its workspace is suspended, or its plan does not include the API.
        case locked
        /// It is disabled.
        case disabled
    }

    /// Which one, with what is known of it.
    package let endpoint: WebhookEndpoint
    /// What its messages are signed with, sealed.
    package let secrets: SealedSecret
    /// Whether messages may go there.
    package let standing: Standing

    /// Puts the parts together.
    package init(endpoint: WebhookEndpoint, secrets: SealedSecret, standing: Standing) {
        self.endpoint = endpoint
        self.secrets = secrets
        self.standing = standing
    }
}

/// A delivery that this process may try now.
package struct ClaimedDelivery: Sendable, Hashable {
    /// Where to.
    package let endpointID: WebhookEndpointID
    /// Which message.
    package let messageID: WebhookMessageID
    /// What it tells of.
    package let event: EventName
    /// Its place.
    package let sequence: Int64
    /// How many attempts there were in all.
    package let attempts: Int
    /// How many of them were before it was last sent again by hand.
    package let attemptsBefore: Int
    /// The message's bytes.
    package let body: [UInt8]
    /// Whose it is until it has ended or the claim runs out.
    package let claim: [UInt8]

    /// Puts the parts together.
    package init(
        endpointID: WebhookEndpointID, messageID: WebhookMessageID, event: EventName, sequence: Int64, attempts: Int,
        attemptsBefore: Int, body: [UInt8], claim: [UInt8]
    ) {
        self.event = event
        self.claim = claim
        self.endpointID = endpointID
        self.messageID = messageID
        self.sequence = sequence
        self.attempts = attempts
        self.attemptsBefore = attemptsBefore
        self.body = body
    }
}

/// What came of an attempt.
package struct AttemptRecord: Sendable, Hashable {
    /// What was tried.
    package let delivery: ClaimedDelivery
    /// When it began.
    package let at: Timestamp
    /// How long it took.
    package let duration: Duration
    /// The headers that it was sent with.
    package let headers: [String: String]
    /// What came back.
    package let reply: WebhookReply
    /// The endpoint's version when it was made: what an earlier URL did says nothing about a later one.
    package let endpointVersion: Int
    /// Whether nothing spoke against the endpoint before.
    package let wasHealthy: Bool
    /// How long to wait until the next attempt; nil where there is none, because it arrived or because it was the last.
    package let retryAfter: Duration?
    /// Whether people get mails.
    package let isMailed: Bool

    /// Puts the parts together.
    package init(
        delivery: ClaimedDelivery, at: Timestamp, duration: Duration, headers: [String: String] = [:],
        reply: WebhookReply, endpointVersion: Int = 1, wasHealthy: Bool, retryAfter: Duration?, isMailed: Bool = true
    ) {
        self.isMailed = isMailed
        self.endpointVersion = endpointVersion
        self.headers = headers
        self.wasHealthy = wasHealthy
        self.delivery = delivery
        self.at = at
        self.duration = duration
        self.reply = reply
        self.retryAfter = retryAfter
    }

    /// When it ended.
    package var end: Timestamp { at.advanced(by: duration) }

    /// Where the delivery stands behind it.
    package var state: WebhookDelivery.State {
        if reply.isDelivered { return .delivered }
        return retryAfter == nil ? .failed : .waiting
    }
}

/// Bounds of the queue.
package enum DeliveryRules {
    /// How long a claim holds: longer than what is claimed together takes.
    package static let claim: Duration = .seconds(60)
    /// The most attempts of one process at a time.
    package static let mostConcurrently = 512
    /// The most attempts of one process at a time for one endpoint.
    package static let mostPerEndpoint = 8
    /// The most deliveries of an endpoint that are claimed together, where it answers quickly.
    package static let mostClaimedPerEndpoint = 64
    /// The most messages that are spread in one transaction.
    package static let mostSpread = 200
    /// The most deliveries that are ended in one transaction.
    package static let mostEnded = 1_000
    /// The most messages of a workspace, and of an endpoint of the operator's, that are kept when they have ended.
    package static let mostKept = 100_000
    /// How long messages are kept where nobody says otherwise.
    package static let usualRetention: Duration = .seconds(30 * 86_400)
}
