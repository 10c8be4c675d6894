import NIOCore

/// What a connection may make the server hold or wait for.
struct ListenerLimits: Sendable {
    /// The most bytes of all header names and values together.
    var headerBytes = 32 * 1_024
    /// The most header fields.
    var headerCount = 100
    /// How long a connection may be silent before it is closed.
    var idleTimeout: TimeAmount = .seconds(60)

    /// HTTP/2 header blocks are decoded up to here, so that one over ``headerBytes`` can be answered in the
    /// envelope. What is larger still ends the connection, as the protocol has it.
    var decodedHeaderListSize: Int { max(256 * 1_024, headerBytes * 2) }

    /// How many continuation frames of 16 KiB a block of that size may take.
    var continuationFrames: Int { decodedHeaderListSize / (16 * 1_024) }
}
