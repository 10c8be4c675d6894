import TestSupport
import Testing

@testable import Keybearer

/// A ``SessionPolicy``: how long a ``Session`` lives, and how long its sign-in is recent.
@Suite struct SessionTests {
    @Test("Sessions end after idling, and in any case after their absolute span; recency is its own")
    func sessionPolicy() {
        let policy = SessionPolicy()
        let start = Samples.start
        func session(seen: Duration) -> SessionTimes {
            SessionTimes(createdAt: start, authenticatedAt: start, lastSeenAt: start.advanced(by: seen))
        }
        #expect(policy.isLive(session(seen: .zero), at: start.advanced(by: policy.idle - .seconds(1))))
        #expect(!policy.isLive(session(seen: .zero), at: start.advanced(by: policy.idle)))
        let late = session(seen: policy.absolute - .seconds(10))
        #expect(policy.isLive(late, at: start.advanced(by: policy.absolute - .seconds(1))))
        #expect(!policy.isLive(late, at: start.advanced(by: policy.absolute)))
        #expect(policy.isRecent(late, at: start.advanced(by: policy.recentSignIn - .seconds(1))))
        #expect(!policy.isRecent(late, at: start.advanced(by: policy.recentSignIn)))
        // A stamp from more than two minutes ahead was made by a clock that was wrong.
        let fresh = session(seen: .zero)
        #expect(policy.isLive(fresh, at: start.advanced(by: .seconds(-120))))
        #expect(policy.isRecent(fresh, at: start.advanced(by: .seconds(-120))))
        #expect(!policy.isLive(fresh, at: start.advanced(by: .seconds(-121))))
        #expect(!policy.isRecent(fresh, at: start.advanced(by: .seconds(-121))))
    }
}
