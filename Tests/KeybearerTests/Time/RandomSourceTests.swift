import Testing

@testable import Keybearer

/// The ``RandomSource`` of the system.
@Suite struct RandomSourceTests {
    @Test("The system's generator returns as many bytes as were requested, and every place of them varies")
    func systemRandomBytes() {
        for count in 0...40 {
            let samples = (0..<24).map { _ in RandomSource.system.bytes(count) }
            #expect(samples.allSatisfy { $0.count == count })
            // That 24 bytes are all alike happens once in 2^184.
            for place in 0..<count { #expect(Set(samples.map { $0[place] }).count > 1, "place \(place) of \(count)") }
        }
    }
}
