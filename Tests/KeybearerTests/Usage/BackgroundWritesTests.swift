import Testing

@testable import Keybearer

/// ``BackgroundWrites`` in batches, so that others come between.
@Suite struct BackgroundWritesTests {
    @Test(
        "Batches hold all in their order; they are large only when there are many",
        arguments: [0, 1, 15, 16, 17, 200, 700, 5_000])
    func batches(count: Int) {
        let batches = BackgroundWrites.batches(Array(0..<count))
        #expect(Array(batches.joined()) == Array(0..<count))
        let sizes = BackgroundWrites.batchSizes
        #expect(batches.allSatisfy { $0.count <= sizes.upperBound })
        #expect(batches.dropLast().allSatisfy { $0.count >= sizes.lowerBound })
        if count > 16, count <= 128 { #expect(batches.first?.count == 16) }
        if count >= 512 { #expect(batches.first?.count == 64) }
        #expect(BackgroundWrites.batches(Array(0..<count), isAwaited: true).count == (count + 63) / 64)
    }
}
