import Foundation
import Testing

@testable import Keybearer

/// The machine's clocks by ``SystemTime``: each ``SteadyTime``, and the time of day.
@Suite struct SystemTimeTests {
    @Test("The steady clock never goes back")
    func steady() {
        var last = SteadyTime.systemNow()
        for _ in 0..<10_000 {
            let next = SteadyTime.systemNow()
            #expect(next >= last)
            last = next
        }
    }

    @Test("The wall clock is Foundation's")
    func wall() {
        let before = Date().timeIntervalSince1970 * 1_000
        let now = Double(Timestamp.systemNow().millisecondsSinceEpoch)
        let after = Date().timeIntervalSince1970 * 1_000
        // Cut to whole milliseconds.
        #expect(now > before - 1 && now <= after)
    }
}
