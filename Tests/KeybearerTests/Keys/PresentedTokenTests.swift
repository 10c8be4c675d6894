import TestSupport
import Testing

@testable import Keybearer

/// ``PresentedToken``: which bytes can be one. How long ones are known is in `ImportedTokenTests`.
@Suite struct PresentedTokenTests {
    private func token(_ bytes: [UInt8]) -> PresentedToken? { bytes.withUnsafeBufferPointer(PresentedToken.init) }

    @Test("20 to 128 bytes of any kind")
    func lengths() {
        for count in 0...300 {
            let letters = token(Array(repeating: 97, count: count))
            #expect((letters != nil) == (20...128).contains(count), "\(count)")
            #expect(letters.map(\.count) == (letters == nil ? nil : count))
            let others = token(Array(repeating: 200, count: count))
            #expect((others != nil) == (20...128).contains(count), "\(count)")
            // A long one is known by its SHA-256, which does not say of what.
            #expect(others?.mayBeImported == (others.map { !$0.isWhole }))
        }
    }

    @Test("A token says nothing of its bytes")
    func descriptions() throws {
        for count in [20, 42, 128] {
            let text = String(repeating: "secret", count: 30).prefix(count)
            let presented = try #require(token(Array(text.utf8)))
            var dumped = ""
            dump(presented, to: &dumped)
            for shown in ["\(presented)", String(reflecting: presented), dumped] { #expect(!shown.contains("secret")) }
        }
    }
}
