import Testing

@testable import KeybearerServer

/// The ``ListenerLimits`` that follow from those that are set.
@Suite struct ListenerLimitsTests {
    @Test(
        "A header block over the limit is still decoded, in as many frames as it takes",
        arguments: [4_096, 32_768, 131_072])
    func decoded(headerBytes: Int) {
        let limits = ListenerLimits(headerBytes: headerBytes)
        #expect(limits.decodedHeaderListSize > headerBytes)
        #expect(limits.continuationFrames * 16 * 1_024 >= limits.decodedHeaderListSize)
    }
}
