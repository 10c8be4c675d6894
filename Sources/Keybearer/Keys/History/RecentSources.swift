/// The sources of an account's requests since they were last taken to be written. Bounded.
///
/// Part of the account's state, under its lock. It is looked at when a request comes from another address than the one
/// before, and once between two writes: a request from the same address costs nothing here.
struct RecentSources: Sendable {
    /// What was written of a source: it is written again when it says something else, or after ``interval``.
    private struct Written: Sendable {
        let keyID: KeyID
        let address: IPAddress
        let userAgent: Int
        let at: Timestamp
    }

    /// A source since the last take.
    private struct Source: Sendable {
        let keyID: KeyID
        let address: IPAddress
        let userAgent: String
        let firstAt: Timestamp
        var lastAt: Timestamp
    }

    /// How often a source is written that says nothing new.
    static let interval: Duration = .seconds(60)

    private var seen: [Source] = []
    /// The one of ``seen`` that the last request came from.
    private var current = 0
    private var written: [Written] = []

    /// Notes a request that comes from another address than the one before it, or is the first one since the last take.
    ///
    /// - Parameters:
    ///   - last: when the request before it came, from the address before.
    ///   - userAgent: asked where the address is new since the last take.
    mutating func move(
        to address: IPAddress, of keyID: KeyID, at wall: Timestamp, leavingAt last: Timestamp?,
        userAgent: () -> String
    ) {
        if let last, seen.indices.contains(current) { seen[current].lastAt = last }
        if let index = seen.firstIndex(where: { $0.address == address && $0.keyID == keyID }) {
            current = index
            return
        }
        if seen.count >= KeyHistory.mostSources {
            // The one that was seen longest ago falls out.
            let oldest = seen.indices.min { seen[$0].lastAt < seen[$1].lastAt } ?? 0
            seen.remove(at: oldest)
        }
        seen.append(
            Source(keyID: keyID, address: address, userAgent: userAgent(), firstAt: wall, lastAt: wall))
        current = seen.count - 1
    }

    /// Another key is used from now on.
    mutating func end(lastAt: Timestamp?) {
        if let lastAt, seen.indices.contains(current) { seen[current].lastAt = lastAt }
        current = seen.count
        written = []
    }

    /// Takes what is to be written, and begins again.
    ///
    /// - Parameter lastAt: when the last request came.
    mutating func take(lastAt: Timestamp?) -> [KeyNews.SeenSource] {
        if seen.isEmpty { return [] }
        if let lastAt, seen.indices.contains(current) { seen[current].lastAt = lastAt }
        let taken = seen
        (seen, current) = ([], 0)
        return taken.compactMap { source in
            let name = source.userAgent.hashValue
            let known = written.firstIndex { $0.address == source.address && $0.keyID == source.keyID }
            if let known, written[known].userAgent == name,
                written[known].at.duration(to: source.lastAt) < Self.interval,
                source.lastAt >= written[known].at
            {
                return nil
            }
            if let known { written.remove(at: known) }
            if written.count >= KeyHistory.mostSources { written.removeFirst() }
            written.append(Written(keyID: source.keyID, address: source.address, userAgent: name, at: source.lastAt))
            return KeyNews.SeenSource(
                keyID: source.keyID,
                source: KeySource(
                    address: source.address, userAgent: source.userAgent, firstSeenAt: source.firstAt,
                    lastSeenAt: source.lastAt))
        }
    }
}
