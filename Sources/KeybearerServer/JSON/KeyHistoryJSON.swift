package import Keybearer

/// From where an account's key was used, what was refused, and who still tries a key that ended. The latest come first.
package struct KeyHistoryJSON: JSONNoun {
    /// Of the key that lives.
    let sources: [KeySourceJSON]
    /// Of the key before it.
    let previousSources: [KeySourceJSON]
    let refusals: [KeyRefusalJSON]
    let endedKeyAttempts: [EndedKeyAttemptsJSON]

    package init(_ history: KeyHistory) {
        sources = history.sources.map { KeySourceJSON($0) }
        previousSources = history.previousSources.map { KeySourceJSON($0) }
        refusals = history.refusals.map { KeyRefusalJSON($0) }
        endedKeyAttempts = history.attempts.map { EndedKeyAttemptsJSON($0) }
    }

    package static let noun = "KeyHistory"
    package static let sample = KeyHistoryJSON(
        sources: [.sample], previousSources: [], refusals: [.sample], endedKeyAttempts: [.sample])

    private init(
        sources: [KeySourceJSON], previousSources: [KeySourceJSON], refusals: [KeyRefusalJSON],
        endedKeyAttempts: [EndedKeyAttemptsJSON]
    ) {
        (self.sources, self.previousSources) = (sources, previousSources)
        (self.refusals, self.endedKeyAttempts) = (refusals, endedKeyAttempts)
    }
}

/// An address from which a key was used.
package struct KeySourceJSON: JSONNoun {
    /// Null for a local socket.
    let address: Nullable<String>
    /// Empty where the client said nothing.
    let userAgent: String
    let firstSeenAt: Timestamp
    let lastSeenAt: Timestamp

    init(_ source: KeySource) {
        (address, userAgent) = (Nullable(source.address.textIfAny), source.userAgent)
        (firstSeenAt, lastSeenAt) = (source.firstSeenAt, source.lastSeenAt)
    }

    package static let noun = "KeySource"
    package static let sample = KeySourceJSON(
        KeySource(
            address: .documentation, userAgent: "curl/8.5.0", firstSeenAt: Timestamp(millisecondsSinceEpoch: 0),
            lastSeenAt: Timestamp(millisecondsSinceEpoch: 0)))
}

/// A request with the live key that was refused.
package struct KeyRefusalJSON: JSONNoun {
    let at: Timestamp
    /// As the reports of usage call it.
    let reason: String
    /// Null for a local socket, and where nobody said it.
    let address: Nullable<String>
    let requestId: String

    init(_ refusal: KeyRefusal) {
        (at, address, requestId) = (refusal.at, Nullable(refusal.address.textIfAny), refusal.requestID)
        reason =
            switch refusal.reason {
            case .admitted: "admitted"
            case .featureLocked: "featureLocked"
            case .notAMember: "notAMember"
            case .rateLimited: "rateLimited"
            case .addressNotAllowed: "addressNotAllowed"
            }
    }

    package static let noun = "KeyRefusal"
    package static let sample = KeyRefusalJSON(
        KeyRefusal(
            at: Timestamp(millisecondsSinceEpoch: 0), reason: .rateLimited, address: .documentation,
            requestID: "req_3dvz03jx1f"))
}

/// Requests with a key that had ended.
package struct EndedKeyAttemptsJSON: JSONNoun {
    /// When the key ended.
    let keyEndedAt: Timestamp
    let count: Int
    let firstAt: Timestamp
    let lastAt: Timestamp
    /// From where the last one came; null for a local socket, and where nobody said it.
    let lastAddress: Nullable<String>

    init(_ attempts: EndedKeyAttempts) {
        (keyEndedAt, count) = (attempts.endedAt, attempts.count)
        (firstAt, lastAt) = (attempts.firstAt, attempts.lastAt)
        lastAddress = Nullable(attempts.address.textIfAny)
    }

    package static let noun = "EndedKeyAttempts"
    package static let sample = EndedKeyAttemptsJSON(
        EndedKeyAttempts(
            endedAt: Timestamp(millisecondsSinceEpoch: 0), count: 3, firstAt: Timestamp(millisecondsSinceEpoch: 0),
            lastAt: Timestamp(millisecondsSinceEpoch: 0), address: .documentation))
}
