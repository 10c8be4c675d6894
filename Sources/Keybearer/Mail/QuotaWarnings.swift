import Synchronization

/// Puts mails into the outbox that tell people how much of their rate limit is used.
///
/// It works beside the requests: ``UsageRecorder`` finds the levels where it writes what accounts' states collect. A level
/// is told once for each account and hour, whichever nodes see it; see ``NewMail/init(_:of:at:)``.
final class QuotaWarnings: Sendable {
    /// How many wait for a store that is out of reach. What comes on top is not told.
    static let most = 1_000

    private let store: any MailStore
    private let clocks: Clocks
    private let waiting = Lock<[NewMail]>([])

    init(store: any MailStore, clocks: Clocks) {
        self.store = store
        self.clocks = clocks
    }

    /// Keeps levels that were reached until the next ``write()``.
    func record(_ levels: [(userID: UserID, level: QuotaLevel)]) {
        if levels.isEmpty { return }
        let now = clocks.wall()
        let mails = levels.compactMap { NewMail($0.level, of: $0.userID, at: now) }
        waiting.withLock { $0 += mails.prefix(max(0, Self.most - $0.count)) }
    }

    /// Writes what is kept. What fails is kept for the next time.
    func write() async {
        let mails = waiting.withLock { waiting in
            defer { waiting = [] }
            return waiting
        }
        for (index, mail) in mails.enumerated() {
            do {
                try await store.addMail(mail)
            } catch {
                return waiting.withLock { $0 = Array((mails[index...] + $0).prefix(Self.most)) }
            }
        }
    }
}
