import HTTPTypes
import Keybearer
import NIOCore
import NIOHTTP1

/// What HTTP/1.1 asks of a server beyond parsing: `Host`, `Expect`, and when a connection ends.
///
/// It stands between the parser and the conversion to version-independent types, which no longer know the version. It
/// tells the supervisor what was read and answered. A request that is answered before its end was read ends its
/// connection: what follows cannot be told from the rest of its body.
final class HTTP1Connection: ChannelDuplexHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    private let supervisor: ConnectionSupervisor
    /// Requests that were passed on and are not answered to the end.
    private var pending = 0
    /// Whether the newest of them has not ended yet.
    private var isReading = false
    /// Whether the newest of them waits to be asked for its body.
    private var expectsContinue = false
    /// Whether no further request is taken.
    private var isOver = false
    /// Whether any part of a request came since the last time that reading paused.
    private var hasReadPart = false
    /// Whether a request that nobody behind this has seen is refused, once those before it are answered.
    private var refusesNext = false

    init(supervisor: ConnectionSupervisor) {
        self.supervisor = supervisor
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        hasReadPart = true
        var data = data
        switch unwrapInboundIn(data) {
        case .head(let head):
            if isOver { return }
            let facts = HTTP1Head(head)
            guard facts.isAcceptable else { return refuse(context) }
            if !facts.isOriginForm {
                guard let plain = HTTP1Target.inOriginForm(head) else { return refuse(context) }
                data = wrapInboundOut(.head(plain))
            }
            pending += 1
            isReading = true
            isOver = facts.isLast || supervisor.life.isStopping
            expectsContinue = facts.expectsContinue
            supervisor.beganRequest()
        case .body: if !isReading { return }
        case .end:
            if !isReading { return }
            isReading = false
            expectsContinue = false
            supervisor.readRequest()
            if isOver { supervisor.dropInput() }
        }
        context.fireChannelRead(data)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        context.fireChannelReadComplete()
        // Bytes of which nothing could be made yet are a part of a head.
        if pending == 0, !isOver, !hasReadPart { supervisor.readPartOfHead() }
        hasReadPart = false
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard error is HTTPParserError else {
            context.fireErrorCaught(error)
            return supervisor.abort()
        }
        // A body that is malformed is its request's matter: that is answered, and ends the connection.
        guard isReading else {
            // Behind the last request nothing is read, well-formed or not.
            if !isOver { refuse(context) }
            return
        }
        isOver = true
        context.fireErrorCaught(error)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        // Not passed on: the library would end the request that is being read.
        guard event is ChannelShouldQuiesceEvent else { return context.fireUserInboundEventTriggered(event) }
        isOver = true
        if !isReading { supervisor.dropInput() }
    }

    func triggerUserOutboundEvent(context: ChannelHandlerContext, event: Any, promise: EventLoopPromise<Void>?) {
        guard event is BodyIsWanted else { return context.triggerUserOutboundEvent(event, promise: promise) }
        promise?.succeed()
        guard expectsContinue, pending == 1 else { return }
        expectsContinue = false
        let head = HTTPResponseHead(version: .http1_1, status: .continue)
        context.writeAndFlush(wrapOutboundOut(.head(head)), promise: nil)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch unwrapOutboundIn(data) {
        case .head(var head):
            if pending == 1, isReading { isOver = true }
            guard isOver, pending == 1, !refusesNext else { return context.write(data, promise: promise) }
            head.headers.replaceOrAdd(name: "connection", value: "close")
            context.write(wrapOutboundOut(.head(head)), promise: promise)
        case .body: context.write(data, promise: promise)
        case .end:
            context.write(data, promise: promise)
            responded(context)
        }
    }

    private func responded(_ context: ChannelHandlerContext) {
        pending -= 1
        guard pending == 0, isOver else { return supervisor.requestWithResponse() }
        if refusesNext { return refuse(context) }
        finish(context)
    }

    /// Refuses a request that nobody behind this has seen.
    private func refuse(_ context: ChannelHandlerContext) {
        isOver = true
        refusesNext = pending > 0
        if refusesNext { return }
        let response = Envelope.unreadableHead()
        var headers = HTTPHeaders([("connection", "close")])
        for header in response.headers { headers.add(name: header.name.canonicalName, value: header.value) }
        let head = HTTPResponseHead(version: .http1_1, status: .badRequest, headers: headers)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: response.body)))), promise: nil)
        context.write(wrapOutboundOut(.end(nil)), promise: nil)
        finish(context)
    }

    /// The last answer was written: ends the connection behind it.
    private func finish(_ context: ChannelHandlerContext) {
        isReading = false
        context.flush()
        supervisor.discardInput()
        context.close(promise: nil)
    }
}

/// A body is about to be read: a client that waits for `100 Continue` is told to send it.
struct BodyIsWanted: Sendable {}

/// What the head of an HTTP/1 request says of its connection. One look at every header, and nothing copied.
struct HTTP1Head {
    private var hosts = 0
    private var hasUpgrade = false
    private let isKeepAlive: Bool
    private let isVersion11: Bool
    /// Whether every `Host` is one by its characters.
    private var areHosts = true
    /// Whether the body's end can be told from `Transfer-Encoding` in one way only.
    private var isFramedPlainly = true
    private var encodings = 0
    private(set) var expectsContinue = false
    /// Whether the target is a path, as nearly always.
    let isOriginForm: Bool

    init(_ head: HTTPRequestHead) {
        isOriginForm = head.uri.utf8.first == UInt8(ascii: "/")
        // The parser has read `Connection` in every spelling.
        isKeepAlive = head.isKeepAlive && head.method != .CONNECT
        isVersion11 = head.version == .http1_1
        for (name, value) in head.headers {
            switch name.utf8.count {
            case 4 where Self.equals(name.utf8, "host"):
                hosts += 1
                areHosts = areHosts && HostText.isValid(Self.trimmed(value))
            case 6 where Self.equals(name.utf8, "expect"):
                expectsContinue = isVersion11 && Self.equals(Self.trimmed(value), "100-continue")
            case 7 where Self.equals(name.utf8, "upgrade"): hasUpgrade = true
            case 17 where Self.equals(name.utf8, "transfer-encoding"):
                encodings += 1
                isFramedPlainly = isVersion11 && encodings == 1 && Self.equals(Self.trimmed(value), "chunked")
            default: break
            }
        }
    }

    /// RFC 9112 §3.2: one `Host`, and not none in HTTP/1.1. And §6.1: no `Transfer-Encoding` but `chunked`, which two
    /// programs on the way could read in two ways.
    var isAcceptable: Bool { isFramedPlainly && areHosts && hosts <= 1 && (hosts == 1 || !isVersion11) }

    /// Whether the connection ends with the answer: as was asked for; because HTTP/1.0 has it so; or because the parser
    /// takes what follows for another protocol's.
    var isLast: Bool { !isKeepAlive || !isVersion11 || hasUpgrade }

    /// A value without the blanks around it, which are no part of it (RFC 9112 §5.1). The parser leaves those behind
    /// it.
    private static func trimmed(_ value: String) -> Substring.UTF8View {
        var text = value.utf8[...]
        while let last = text.last, last == UInt8(ascii: " ") || last == UInt8(ascii: "\t") { text.removeLast() }
        return text.drop { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
    }

    /// Compares with a text in lower case, whatever the case of the other.
    private static func equals(_ text: some Collection<UInt8>, _ expected: StaticString) -> Bool {
        guard text.count == expected.utf8CodeUnitCount else { return false }
        var index = 0
        for byte in text {
            let lowered = byte >= 65 && byte <= 90 ? byte | 0x20 : byte
            if lowered != expected.utf8Start[index] { return false }
            index += 1
        }
        return true
    }
}
