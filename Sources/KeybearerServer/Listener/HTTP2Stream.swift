import HTTPTypes
import Keybearer
import NIOCore
import NIOHPACK
import NIOHTTP2

/// One stream of an HTTP/2 connection: tells the supervisor what was read and answered, and refuses in the envelope
/// header blocks that are too large, have too many fields, or hold control bytes.
///
/// It looks at the fields as they came. Further on, the HTTP types turn control bytes into blanks and trim them, and a
/// token with a byte too many would pass as one without. A request that is answered before its end was read ends its
/// stream: the client need not send the rest.
final class HTTP2Stream: ChannelDuplexHandler {
    typealias InboundIn = HTTP2Frame.FramePayload
    typealias InboundOut = HTTP2Frame.FramePayload
    typealias OutboundIn = HTTP2Frame.FramePayload
    typealias OutboundOut = HTTP2Frame.FramePayload

    private let supervisor: ConnectionSupervisor
    private let connection: HTTP2Connection
    private let limits: ListenerLimits
    private var isRefused = false
    private var hasBegun = false
    private var hasEnded = false
    private var isRead = false
    private var expectsContinue = false
    private var age: Duration = .zero
    private var context: ChannelHandlerContext?
    /// The asynchronous side of the stream. See ``ConnectionSupervisor/held``.
    var held: Any?

    init(supervisor: ConnectionSupervisor, connection: HTTP2Connection, limits: ListenerLimits) {
        self.supervisor = supervisor
        self.connection = connection
        self.limits = limits
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        connection.readFrame()
        let payload = unwrapInboundIn(data)
        let isEnd = Self.endsStream(payload)
        if isEnd { ended() }
        if isRefused { return }
        guard case .headers(let block) = payload else { return context.fireChannelRead(data) }
        if hasBegun {
            // A second block holds trailers. Nothing here reads them and nothing has checked them: only the end counts.
            let end = HTTP2Frame.FramePayload.data(.init(data: .byteBuffer(ByteBuffer()), endStream: isEnd))
            return context.fireChannelRead(wrapInboundOut(end))
        }
        hasBegun = true
        self.context = context
        if let id = try? context.channel.syncOptions?.getOption(HTTP2StreamChannelOptions.streamID) {
            connection.began(id)
        }
        supervisor.began(self)
        if isEnd { supervisor.readRequest() }
        expectsContinue = block.headers.first(name: "expect")?.lowercased() == "100-continue"
        if isAcceptable(block.headers) { return context.fireChannelRead(data) }
        refuse(context)
    }

    func channelInactive(context: ChannelHandlerContext) {
        leave()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        leave()
        held = nil
    }

    func triggerUserOutboundEvent(context: ChannelHandlerContext, event: Any, promise: EventLoopPromise<Void>?) {
        guard event is BodyIsWanted else { return context.triggerUserOutboundEvent(event, promise: promise) }
        promise?.succeed()
        guard expectsContinue, !isRead else { return }
        expectsContinue = false
        context.writeAndFlush(wrapOutboundOut(.headers(.init(headers: [":status": "100"]))), promise: nil)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard Self.endsStream(unwrapOutboundIn(data)), !isRead else { return context.write(data, promise: promise) }
        let written = promise ?? context.eventLoop.makePromise()
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        written.futureResult.whenSuccess {
            let (stream, context) = bound.value
            guard !stream.hasEnded, !stream.isRead else { return }
            context.writeAndFlush(stream.wrapOutboundOut(.rstStream(.noError)), promise: nil)
        }
        context.write(data, promise: written)
    }

    /// Time has passed: a stream whose answer nobody takes is reset.
    func passed(_ time: Duration, limit: Duration) {
        age += time
        guard age >= limit, let context else { return }
        context.writeAndFlush(wrapOutboundOut(.rstStream(.cancel)), promise: nil)
    }

    private static func endsStream(_ payload: HTTP2Frame.FramePayload) -> Bool {
        switch payload {
        case .headers(let block): block.endStream
        case .data(let part): part.endStream
        default: false
        }
    }

    private func ended() {
        guard !isRead else { return }
        isRead = true
        if hasBegun { supervisor.readRequest() }
    }

    private func leave() {
        guard hasBegun, !hasEnded else { return }
        hasEnded = true
        context = nil
        supervisor.ended(self, wasRead: isRead)
    }

    private func refuse(_ context: ChannelHandlerContext) {
        isRefused = true
        let response = Envelope.unreadableHead()
        var headers = HPACKHeaders([(":status", "400")])
        for header in response.headers { headers.add(name: header.name.canonicalName, value: header.value) }
        let body = context.channel.allocator.buffer(bytes: response.body)
        context.write(wrapOutboundOut(.headers(.init(headers: headers))), promise: nil)
        // Through the pipeline's own way of writing, which ends the stream behind it.
        write(
            context: context,
            data: NIOAny(HTTP2Frame.FramePayload.data(.init(data: .byteBuffer(body), endStream: true))),
            promise: nil)
        context.flush()
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
                guard Self.isHeaderName(name), !Self.connectionHeaders.contains(name) else { return false }
                guard name != "te" || value == "trailers" else { return false }
            }
        }
        // RFC 9113 §8.3.1: a Host beside the authority names the same.
        let hosts = headers[canonicalForm: "host"]
        let authority = headers.first(name: ":authority")
        guard hosts.count <= 1, HostText.isValid((authority ?? "").utf8[...]),
            hosts.allSatisfy({ HostText.isValid($0.utf8[...]) })
        else {
            return false
        }
        if let host = hosts.first, let authority, host.lowercased() != authority.lowercased() { return false }
        guard authority != nil || hosts.count == 1 else { return false }
        let isConnect = headers.first(name: ":method") == "CONNECT"
        let needed: Set<String> = isConnect ? [":method", ":authority"] : [":method", ":scheme", ":path"]
        return needed.isSubset(of: pseudoNames) && needed.union([":authority"]).isSuperset(of: pseudoNames)
    }

    private static let connectionHeaders: Set<String> = [
        "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade",
    ]

    /// A token of RFC 9110 without capital letters.
    private static func isHeaderName(_ name: String) -> Bool {
        !name.isEmpty
            && name.utf8.allSatisfy { byte in
                (97...122).contains(byte) || (48...57).contains(byte) || "!#$%&'*+-.^_`|~".utf8.contains(byte)
            }
    }
}
