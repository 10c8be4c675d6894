import HTTPTypes
import Keybearer
import NIOCore
import NIOHPACK
import NIOHTTP2

/// Refuses HTTP/2 header blocks that are too large, have too many fields, or hold control bytes, in the envelope.
///
/// It looks at the fields as they came. Further on, the HTTP types turn control bytes into blanks and trim them, and a
/// token with a byte too many would pass as one without.
final class HeaderBlockGuard: ChannelInboundHandler {
    typealias InboundIn = HTTP2Frame.FramePayload
    typealias InboundOut = HTTP2Frame.FramePayload
    typealias OutboundOut = HTTP2Frame.FramePayload

    private let limits: ListenerLimits
    private var isRefused = false

    init(limits: ListenerLimits) {
        self.limits = limits
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if isRefused { return }
        guard case .headers(let block) = unwrapInboundIn(data), !isAcceptable(block.headers) else {
            return context.fireChannelRead(data)
        }
        isRefused = true
        let answer = Envelope.refusal(
            .badRequest, message: "The request could not be read: its headers are malformed, too large or too many.")
        var fields = HPACKHeaders([(":status", "400")])
        for field in answer.fields { fields.add(name: field.name.canonicalName, value: field.value) }
        let body = context.channel.allocator.buffer(bytes: answer.body)
        context.write(wrapOutboundOut(.headers(.init(headers: fields))), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.data(.init(data: .byteBuffer(body), endStream: true))), promise: nil)
    }

    private func isAcceptable(_ headers: HPACKHeaders) -> Bool {
        guard headers.count <= limits.headerCount + 4 else { return false }
        var size = 0
        for (name, value, _) in headers {
            size += name.utf8.count + value.utf8.count
            guard size <= limits.headerBytes else { return false }
            guard value.utf8.allSatisfy({ ($0 >= 32 && $0 != 127) || $0 == 9 }) else { return false }
            guard name.utf8.allSatisfy({ $0 > 32 && $0 < 127 }) else { return false }
        }
        return true
    }
}
