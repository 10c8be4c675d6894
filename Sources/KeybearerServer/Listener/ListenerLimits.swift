/// What a connection may make the server hold or wait for.
struct ListenerLimits: Sendable {
    /// The most bytes of all header names and values together.
    var headerBytes = 32 * 1_024
    /// The most header fields.
    var headerCount = 100

    /// HTTP/2 header blocks are decoded up to here, so that one over ``headerBytes`` can be answered in the envelope. A
    /// larger one ends the connection, as the protocol has it; and so does one over 16 KiB, the library's own limit,
    /// until the client has acknowledged the server's settings.
    var decodedHeaderListSize: Int { headerBytes * 2 }

    /// How many continuation frames of 16 KiB a block of that size may take.
    var continuationFrames: Int { decodedHeaderListSize / (16 * 1_024) + 1 }
}
