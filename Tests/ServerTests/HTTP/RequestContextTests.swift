import Testing

@testable import KeybearerServer

/// The ``RequestIdentifier`` of a ``RequestContext``.
@Suite struct RequestContextTests {
    @Test(
        "The length of a request id is reckoned as it is written",
        arguments: [0, 1, 15, 16, 255, 256, 4_095, 4_096, UInt64.max - 1, UInt64.max])
    func identifierLength(number: UInt64) {
        let written = RequestIdentifier.prefix + String(number, radix: 16)
        #expect(RequestIdentifier.length(of: number) == written.utf8.count)
    }
}
