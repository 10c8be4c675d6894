import Keybearer
import Synchronization

/// What is to be logged of a request that is being answered: whoever decides about it adds what was decided.
final class LoggedRequest: Sendable {
    /// When its head, or its last byte, had been read.
    let begun: SteadyTime
    private let state = Lock(AccessLine.Subject())

    init(begun: SteadyTime) {
        self.begun = begun
    }

    var subject: AccessLine.Subject { state.withLock { $0 } }

    /// Its key was decided about.
    func decided(_ verdict: Verdict) {
        if case .needsStore = verdict { return }
        state.withLock { $0 = AccessLine.Subject(verdict) }
    }

    /// It was made by somebody who is signed in.
    func isOf(_ userID: UserID) { state.withLock { $0.userID = userID } }
}
