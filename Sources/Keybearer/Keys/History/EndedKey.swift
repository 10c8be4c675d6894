import Synchronization

/// A key that ended and that somebody tried: how often since it was last written, and from where.
///
/// It is in the key cache with the token, so that counting an attempt asks no store.
final class EndedKey: Sendable {
    private struct State {
        var count = 0
        var firstAt = Timestamp(millisecondsSinceEpoch: 0)
        var lastAt = Timestamp(millisecondsSinceEpoch: 0)
        var address = IPAddress.unknown
    }

    private let userID: UserID
    private let endedAt: Timestamp
    private let state = Lock(State())

    /// - Parameter past: as the store has it.
    init(_ past: PastKey) {
        (userID, endedAt) = (past.userID, past.endedAt)
    }

    /// Counts an attempt.
    ///
    /// - Returns: whether it is the first one since the last take: whoever writes must hear of it.
    func count(from address: IPAddress, at wall: Timestamp) -> Bool {
        state.withLock { state in
            let isFirst = state.count == 0
            if isFirst { state.firstAt = wall }
            state.count += 1
            (state.lastAt, state.address) = (wall, address)
            return isFirst
        }
    }
}

extension EndedKey: UnwrittenSource {
    func takeUnwritten() -> Unwritten {
        state.withLock { state in
            guard state.count > 0 else { return Unwritten() }
            defer { state = State() }
            let attempts = EndedKeyAttempts(
                endedAt: endedAt, count: state.count, firstAt: state.firstAt, lastAt: state.lastAt,
                address: state.address)
            return Unwritten(news: KeyNews(userID: userID, attempts: [attempts]))
        }
    }
}
