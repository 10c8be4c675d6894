import Keybearer
import Synchronization
import TestSupport

/// The lives of one account's keys as a client can know them, and every use of them: enough to judge each use.
final class KeyHistory: Sendable {
    /// What became of a request.
    enum Outcome: Sendable {
        /// 200
        case passed
        /// 401 in the envelope.
        case refused
        /// Anything else.
        case strange
    }

    /// One request with a key.
    struct Use: Sendable {
        let key: Int
        /// Before its first byte was sent.
        let began: MonotonicTime
        /// After its answer was read.
        let responded: MonotonicTime
        let outcome: Outcome
    }

    /// A key and its place in the order of keys.
    struct Key: Sendable {
        let number: Int
        let characters: String
    }

    /// What all uses come to.
    struct Verdict: CustomStringConvertible {
        var oldKeyPassed = 0
        var oldKeyRefused = 0
        var newKeyPassed = 0
        var newKeyFailed = 0
        var inBetween = 0
        var strange = 0

        var description: String {
            "\(newKeyPassed) passed with the live key, \(newKeyFailed) failed with it, \(oldKeyRefused) refused "
                + "and \(oldKeyPassed) passed with the old key after the answer, \(inBetween) during a change, "
                + "\(strange) strange"
        }
    }

    private struct Life {
        let characters: String
        /// When the answer that made it had arrived.
        let liveFrom: MonotonicTime
        /// Before the request that ended it was sent.
        var endingFrom = MonotonicTime.distantFuture
        /// When the answer that ended it had arrived.
        var rejectedFrom = MonotonicTime.distantFuture
    }

    private let lives: Lock<[Life]>
    private let uses = Lock<[Use]>([])

    init(first: String) {
        lives = Lock([Life(characters: first, liveFrom: .now())])
    }

    /// The key that clients know at present.
    var current: Key {
        lives.withLock { Key(number: $0.count - 1, characters: $0[$0.count - 1].characters) }
    }

    /// The current key is about to be replaced.
    func regenerateBegins(at time: MonotonicTime) {
        lives.withLock { $0[$0.count - 1].endingFrom = time }
    }

    /// The response has arrived: the current key is rejected.
    func regenerated(at time: MonotonicTime) {
        lives.withLock { $0[$0.count - 1].rejectedFrom = time }
    }

    /// The new key is known; it lives since the answer.
    func begin(with characters: String, liveFrom: MonotonicTime) {
        lives.withLock { $0.append(Life(characters: characters, liveFrom: liveFrom)) }
    }

    /// Takes in what a client did.
    func record(_ more: [Use]) {
        uses.withLock { $0 += more }
    }

    /// Judges every use by the life of its key.
    func judge() -> Verdict {
        let lives = lives.withLock { $0 }
        var verdict = Verdict()
        for use in uses.withLock({ $0 }) {
            let life = lives[use.key]
            if use.outcome == .strange {
                verdict.strange += 1
            } else if use.began > life.rejectedFrom {
                if use.outcome == .passed { verdict.oldKeyPassed += 1 } else { verdict.oldKeyRefused += 1 }
            } else if use.began >= life.liveFrom && use.responded < life.endingFrom {
                if use.outcome == .passed { verdict.newKeyPassed += 1 } else { verdict.newKeyFailed += 1 }
            } else {
                verdict.inBetween += 1
            }
        }
        return verdict
    }
}
