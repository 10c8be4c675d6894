import NIOCore

/// Lets this server's HTTP/2 settings hold from the first request of a connection on.
///
/// The library decodes header blocks up to 16 KiB until the client has acknowledged the server's settings, and ends the
/// connection at a larger one. Clients send their first request before that, so an oversized one could not be answered.
/// This handler acknowledges in the client's place right behind its preface, and drops the acknowledgement that comes
/// later. It only concerns limits that the server sets itself: what it may receive earlier is what it allows anyway.
final class EarlySettings: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private static let prefaceLength = 24
    private static let frameHeaderLength = 9
    /// The protocol's first limit; a client may not send more before it has seen another.
    private static let largestPayload = 16_384
    private static let settingsType: UInt8 = 4
    private static let acknowledgement: [UInt8] = [0, 0, 0, settingsType, 1, 0, 0, 0, 0]

    private var pending = ByteBuffer()
    private var hasPreface = false
    private var hasInjected = false
    private var isDone = false

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if isDone { return context.fireChannelRead(data) }
        var received = unwrapInboundIn(data)
        pending.writeBuffer(&received)
        if !hasPreface {
            guard let preface = pending.readSlice(length: Self.prefaceLength) else { return }
            hasPreface = true
            context.fireChannelRead(wrapInboundOut(preface))
        }
        while !isDone, let frame = nextFrame() {
            let isAcknowledgement =
                frame.getInteger(at: frame.readerIndex + 3) == Self.settingsType
                && (frame.getInteger(at: frame.readerIndex + 4, as: UInt8.self) ?? 0) & 1 == 1
            if isAcknowledgement && hasInjected {
                isDone = true
                continue
            }
            context.fireChannelRead(wrapInboundOut(frame))
            if !hasInjected {
                hasInjected = true
                context.fireChannelRead(wrapInboundOut(ByteBuffer(bytes: Self.acknowledgement)))
            }
        }
        if isDone, pending.readableBytes > 0 {
            let rest = pending
            pending = ByteBuffer()
            context.fireChannelRead(wrapInboundOut(rest))
        }
    }

    /// A whole frame; nil when more bytes are needed. A frame that is larger than allowed ends the watching: the library
    /// refuses it.
    private func nextFrame() -> ByteBuffer? {
        guard let start = pending.getBytes(at: pending.readerIndex, length: 3) else { return nil }
        let length = Int(start[0]) << 16 | Int(start[1]) << 8 | Int(start[2])
        guard length <= Self.largestPayload else {
            isDone = true
            return nil
        }
        return pending.readSlice(length: Self.frameHeaderLength + length)
    }
}
