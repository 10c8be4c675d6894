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
    private var hasHeaders = false

    init(limits: ListenerLimits) {
        self.limits = limits
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if isRefused { return }
        guard case .headers(let block) = unwrapInboundIn(data) else { return context.fireChannelRead(data) }
        if hasHeaders {
            // A second block holds trailers. Nothing here reads them and nothing has checked them: only the end counts.
            let end = HTTP2Frame.FramePayload.data(.init(data: .byteBuffer(ByteBuffer()), endStream: block.endStream))
            return context.fireChannelRead(wrapInboundOut(end))
        }
        hasHeaders = true
        if isAcceptable(block.headers) { return context.fireChannelRead(data) }
        isRefused = true
        let answer = Envelope.refusal(
            .badRequest, message: "The request could not be read: its headers are malformed, too large or too many.")
        var fields = HPACKHeaders([(":status", "400")])
        for field in answer.fields { fields.add(name: field.name.canonicalName, value: field.value) }
        let body = context.channel.allocator.buffer(bytes: answer.body)
        context.write(wrapOutboundOut(.headers(.init(headers: fields))), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.data(.init(data: .byteBuffer(body), endStream: true))), promise: nil)
    }

    /// RFC 9113 §8.2 and §8.3: the pseudo-header fields first, each once, no others; names in lower case; no field of
    /// the connection; no control byte anywhere. A request that breaks one of these is malformed.
    private func isAcceptable(_ headers: HPACKHeaders) -> Bool {
        var size = 0
        var pseudoNames: [String] = []
        var count = 0
        for (name, value, _) in headers {
            count += 1
            size += name.utf8.count + value.utf8.count
            guard size <= limits.headerBytes, count <= limits.headerCount + 4 else { return false }
            guard value.utf8.allSatisfy({ ($0 >= 32 && $0 != 127) || $0 == 9 }) else { return false }
            if name.utf8.first == UInt8(ascii: ":") {
                guard pseudoNames.count == count - 1, !pseudoNames.contains(name), !value.isEmpty else { return false }
                pseudoNames.append(name)
            } else {
                guard Self.isFieldName(name), !Self.connectionFields.contains(name) else { return false }
                guard name != "te" || value == "trailers" else { return false }
            }
        }
        let isConnect = headers.first(name: ":method") == "CONNECT"
        let needed: Set<String> = isConnect ? [":method", ":authority"] : [":method", ":scheme", ":path"]
        return needed.isSubset(of: pseudoNames) && needed.union([":authority"]).isSuperset(of: pseudoNames)
    }

    private static let connectionFields: Set<String> = [
        "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade",
    ]

    /// A token of RFC 9110 without capital letters.
    private static func isFieldName(_ name: String) -> Bool {
        !name.isEmpty
            && name.utf8.allSatisfy { byte in
                (97...122).contains(byte) || (48...57).contains(byte) || "!#$%&'*+-.^_`|~".utf8.contains(byte)
            }
    }
}
