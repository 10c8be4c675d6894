/// From where an account's key was used, what was refused, and who still tries a key that ended. Each list is bounded.
///
/// A value in one row of the store: processes merge into it what they saw. Merging is pure, and in which order processes
/// come makes no difference to what is kept, but for what falls out.
public struct KeyHistory: Sendable, Hashable {
    /// The most sources of a key.
    public static let mostSources = 20
    /// The most refusals of an account.
    public static let mostRefusals = 20
    /// The most keys that ended, and that somebody tried since.
    public static let mostEndedKeys = 5

    /// The key that ``sources`` are of.
    package private(set) var keyID: KeyID?
    /// From where the key was used, the latest first.
    public private(set) var sources: [KeySource] = []
    /// The key before it.
    package private(set) var previousKeyID: KeyID?
    /// From where that one was used.
    public private(set) var previousSources: [KeySource] = []
    /// What was refused, the latest first.
    public private(set) var refusals: [KeyRefusal] = []
    /// Attempts with keys that ended, the latest first.
    public private(set) var attempts: [EndedKeyAttempts] = []

    /// Nothing yet.
    package init() {}

    /// The same as seen with the key that lives: what is of another one is of the key before it.
    package func seen(with live: KeyID) -> KeyHistory {
        var history = self
        history.turn(to: live)
        return history
    }

    private mutating func turn(to live: KeyID) {
        if keyID == live { return }
        if !sources.isEmpty { (previousKeyID, previousSources) = (keyID, sources) }
        (keyID, sources) = (live, [])
    }

    /// Takes in a use of a key that ended and that nothing is known of: it was used for the first time a moment before. Where
    /// the key before is another one, it is dropped.
    private mutating func takeIn(_ seen: KeyNews.SeenSource, live: KeyID) {
        if keyID == live {
            guard previousSources.isEmpty else { return }
            (previousKeyID, previousSources) = (seen.keyID, [seen.source])
        } else if sources.allSatisfy({ $0.lastSeenAt < seen.source.firstSeenAt }) {
            turn(to: seen.keyID)
            sources.merge(seen.source)
        }
    }

    /// A source of the live key in what a process saw that is new: in a network from which neither that key nor the one before
    /// it was used. An IPv6 network has 64 bits. Nil where nothing is known yet, since everything would be new, and where
    /// sources have fallen out, since what is not in the list may not be new.
    package func newSource(in news: KeyNews, live: KeyID) -> KeySource? {
        let history = seen(with: live)
        let known = Set((history.sources + history.previousSources).map(\.address.throttlingNetwork))
        if known.isEmpty || history.sources.count >= Self.mostSources { return nil }
        return news.sources.first {
            $0.keyID == live && $0.source.address.isClient && !known.contains($0.source.address.throttlingNetwork)
        }?.source
    }

    /// Takes in what a process saw.
    ///
    /// - Parameters:
    ///   - live: the account's key now. What was seen of older keys than the one before it is dropped.
    ///   - latest: the latest time that counts. One that lies ahead, from a wrong clock, counts as this.
    package mutating func merge(_ news: KeyNews, live: KeyID, latest: Timestamp) {
        if news.sources.contains(where: { $0.keyID == live }) { turn(to: live) }
        for seen in news.sources {
            if seen.keyID == keyID {
                sources.merge(seen.source)
            } else if seen.keyID == previousKeyID {
                previousSources.merge(seen.source)
            } else if seen.keyID != live {
                takeIn(seen, live: live)
            }
        }
        refusals += news.refusals
        for attempts in news.attempts { self.attempts.merge(attempts) }
        bound(latest)
    }

    private mutating func bound(_ latest: Timestamp) {
        sources.bound(latest)
        previousSources.bound(latest)
        refusals = Array(
            refusals.map { $0.at(min($0.at, latest)) }.sorted { ($1.at, $1.requestID) < ($0.at, $0.requestID) }
                .prefix(Self.mostRefusals))
        attempts = Array(
            attempts.map { $0.until(min($0.lastAt, latest)) }.sorted {
                ($1.lastAt, $1.endedAt) < ($0.lastAt, $0.endedAt)
            }
            .prefix(Self.mostEndedKeys))
    }

    /// Puts a stored history together.
    init(
        keyID: KeyID?, sources: [KeySource], previousKeyID: KeyID?, previousSources: [KeySource],
        refusals: [KeyRefusal], attempts: [EndedKeyAttempts]
    ) {
        self.keyID = keyID
        self.sources = sources
        self.previousKeyID = previousKeyID
        self.previousSources = previousSources
        self.refusals = refusals
        self.attempts = attempts
    }
}

/// An address from which a key was used with success.
public struct KeySource: Sendable, Hashable {
    /// The client's address, as the trusted-proxy rules see it.
    public let address: IPAddress
    /// What the client said it is, in its last request that was looked at; empty for nothing. See ``ClientName``.
    public let userAgent: String
    /// When the first request came from there.
    public let firstSeenAt: Timestamp
    /// When the last one did, exact to a minute.
    public let lastSeenAt: Timestamp

    /// Puts a source together.
    package init(address: IPAddress, userAgent: String, firstSeenAt: Timestamp, lastSeenAt: Timestamp) {
        self.address = address
        self.userAgent = userAgent
        self.firstSeenAt = firstSeenAt
        self.lastSeenAt = lastSeenAt
    }

    /// Both as one: from the first to the last, with what the later one said.
    func merged(with other: KeySource) -> KeySource {
        let later = other.lastSeenAt >= lastSeenAt ? other : self
        return KeySource(
            address: address, userAgent: later.userAgent, firstSeenAt: min(firstSeenAt, other.firstSeenAt),
            lastSeenAt: later.lastSeenAt)
    }
}

/// A request with a live key that was refused.
public struct KeyRefusal: Sendable, Hashable {
    /// When it was.
    public let at: Timestamp
    /// Why; never ``UsageOutcome/admitted``.
    public let reason: UsageOutcome
    /// From where; ``IPAddress/unknown`` where nobody said that.
    public let address: IPAddress
    /// The request's id, which its response had.
    public let requestID: String

    /// Puts a refusal together.
    package init(at: Timestamp, reason: UsageOutcome, address: IPAddress, requestID: String) {
        self.at = at
        self.reason = reason
        self.address = address
        self.requestID = requestID
    }

    fileprivate func at(_ time: Timestamp) -> KeyRefusal {
        KeyRefusal(at: time, reason: reason, address: address, requestID: requestID)
    }
}

/// Requests with a key that had ended.
public struct EndedKeyAttempts: Sendable, Hashable {
    /// When the key ended: which one of the account's it was.
    public let endedAt: Timestamp
    /// How many requests there were.
    public let count: Int
    /// When the first one came.
    public let firstAt: Timestamp
    /// When the last one came.
    public let lastAt: Timestamp
    /// From where the last one came.
    public let address: IPAddress

    /// Puts attempts together.
    package init(endedAt: Timestamp, count: Int, firstAt: Timestamp, lastAt: Timestamp, address: IPAddress) {
        self.endedAt = endedAt
        self.count = count
        self.firstAt = firstAt
        self.lastAt = lastAt
        self.address = address
    }

    fileprivate func merged(with other: EndedKeyAttempts) -> EndedKeyAttempts {
        let later = other.lastAt >= lastAt ? other : self
        return EndedKeyAttempts(
            endedAt: endedAt, count: count + other.count, firstAt: min(firstAt, other.firstAt), lastAt: later.lastAt,
            address: later.address)
    }

    fileprivate func until(_ time: Timestamp) -> EndedKeyAttempts {
        EndedKeyAttempts(
            endedAt: endedAt, count: count, firstAt: min(firstAt, time), lastAt: time, address: address)
    }
}

extension [KeySource] {
    fileprivate mutating func merge(_ source: KeySource) {
        guard let index = firstIndex(where: { $0.address == source.address }) else { return append(source) }
        self[index] = self[index].merged(with: source)
    }

    /// The latest ones, the latest first.
    fileprivate mutating func bound(_ latest: Timestamp) {
        self = Array(
            map {
                KeySource(
                    address: $0.address, userAgent: $0.userAgent, firstSeenAt: Swift.min($0.firstSeenAt, latest),
                    lastSeenAt: Swift.min($0.lastSeenAt, latest))
            }
            .sorted {
                ($1.lastSeenAt, $1.address.high, $1.address.low) < ($0.lastSeenAt, $0.address.high, $0.address.low)
            }
            .prefix(KeyHistory.mostSources))
    }
}

extension [EndedKeyAttempts] {
    fileprivate mutating func merge(_ attempts: EndedKeyAttempts) {
        guard let index = firstIndex(where: { $0.endedAt == attempts.endedAt }) else { return append(attempts) }
        self[index] = self[index].merged(with: attempts)
    }
}
