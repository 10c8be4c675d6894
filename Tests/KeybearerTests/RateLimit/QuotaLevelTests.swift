import TestSupport
import Testing

@testable import Keybearer

/// The ``QuotaLevel`` of an account, as its use goes up and down.
@Suite struct QuotaLevelTests {
    private static func levels(_ used: [Int], of limit: Int = 1_000) -> [QuotaLevel] {
        var level = QuotaLevel.normal
        return used.map { used in
            level = level.next(used: used, limit: limit)
            return level
        }
    }

    @Test(
        "A level begins at 80 % and at 100 %, and ends below 70 % and below 90 %",
        arguments: [
            ([0, 799, 800, 799, 700, 699, 799], [.normal, .normal, .near, .near, .near, .normal, .normal]),
            ([1_000, 999, 900, 899, 999, 1_000], [.reached, .reached, .reached, .near, .near, .reached]),
            ([1_000, 699], [.reached, .normal]), ([1_001, 700, 699], [.reached, .near, .normal]),
            ([800, 1_000, 0], [.near, .reached, .normal]),
        ] as [([Int], [QuotaLevel])])
    func hysteresis(_ used: [Int], _ levels: [QuotaLevel]) {
        #expect(Self.levels(used) == levels)
    }

    @Test("Use that goes up and down around a mark changes the level once")
    func steady() {
        let used = (0..<100).map { $0.isMultiple(of: 2) ? 790 : 810 }
        #expect(Self.levels(used).dropFirst().allSatisfy { $0 == .near })
    }

    @Test("A limit of none is never reached")
    func none() {
        #expect(Self.levels([0, 5], of: 0) == [.normal, .normal])
    }
}
