import HTTPTypes
import Keybearer
import NIOCore
import NIOHTTPTypes

/// Answers on the event loop what memory can answer; everything else goes on to the asynchronous server.
///
/// It keeps the order of answers: while a request is with the server, those behind it follow it there. And it keeps
/// the back-pressure: when the client does not read its answers, requests go to the server, which waits.
///
/// A request that is answered before its end was read ends its connection: what follows cannot be told from the rest of
/// its body, and the library would read that without a limit.
final class MemoryAnswers: ChannelDuplexHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private let edge: EdgeResponder
    /// Requests that the server has and has not answered to the end.
    private var withServer = 0
    /// Whether the last of them has not ended yet.
    private var isBeingRead = false
    /// The head of a request that may have no body: decided when its end was read, and not before.
    private var held: HTTPRequest?
    private var hasWritten = false
    private var isClosing = false
    /// How much more of a body is thrown away before the connection closes; nil until its answer was written.
    private var bytesToDiscard: Int?
    private var peer: IPAddress?
    private var date = (second: Int64.min, text: "")

    /// How long, and for how many bytes of its body, a client may go on sending behind an early answer: what is unread when
    /// a connection closes would turn the close into a reset, and that can overtake the answer.
    private static let linger = (time: TimeAmount.seconds(1), bytes: 64 * 1_024)

    init(edge: EdgeResponder) {
        self.edge = edge
    }

    func handlerAdded(context: ChannelHandlerContext) {
        peer = context.remoteAddress.flatMap { IPAddress($0) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if let bytesToDiscard { return discard(unwrapInboundIn(data), upTo: bytesToDiscard, context) }
        switch unwrapInboundIn(data) {
        case .head(let head):
            // A connection that is to be closed, or changed to another protocol, is the server's business.
            if withServer == 0, head.method == .get, head.headerFields[.connection] == nil {
                held = head
            } else {
                withServer += 1
                isBeingRead = true
                context.fireChannelRead(data)
            }
        case .body:
            passOn(context)
            context.fireChannelRead(data)
        case .end:
            if let head = held, context.channel.isWritable, let answer = edge.respondNow(to: head, peer: peer) {
                held = nil
                write(answer, context)
            } else {
                passOn(context)
                isBeingRead = false
                context.fireChannelRead(data)
            }
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if hasWritten {
            hasWritten = false
            context.flush()
        }
        context.fireChannelReadComplete()
        // The server behind this handler asks for no more.
        if bytesToDiscard != nil { context.read() }
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard bytesToDiscard == nil else {
            promise?.fail(ChannelError.outputClosed)
            return
        }
        switch unwrapOutboundIn(data) {
        case .head(var head) where withServer == 1 && isBeingRead:
            isClosing = true
            head.headerFields[.connection] = "close"
            context.write(wrapOutboundOut(.head(head)), promise: promise)
        case .end:
            withServer -= 1
            guard isClosing else { return context.write(data, promise: promise) }
            let written = promise ?? context.eventLoop.makePromise()
            context.writeAndFlush(data, promise: written)
            closeSlowly(context, after: written.futureResult)
        default: context.write(data, promise: promise)
        }
    }

    /// Closes our half when the answer is written, and the rest a moment later.
    private func closeSlowly(_ context: ChannelHandlerContext, after answer: EventLoopFuture<Void>) {
        bytesToDiscard = Self.linger.bytes
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        answer.whenComplete { _ in bound.value.close(mode: .output, promise: nil) }
        context.eventLoop.scheduleTask(in: Self.linger.time) { bound.value.close(promise: nil) }
        context.read()
    }

    private func discard(_ part: HTTPRequestPart, upTo limit: Int, _ context: ChannelHandlerContext) {
        guard case .body(let bytes) = part else { return }
        bytesToDiscard = limit - bytes.readableBytes
        if bytes.readableBytes > limit { context.close(promise: nil) }
    }

    private func passOn(_ context: ChannelHandlerContext) {
        guard let head = held else { return }
        held = nil
        withServer += 1
        isBeingRead = true
        context.fireChannelRead(wrapInboundOut(.head(head)))
    }

    private func write(_ answer: APIAnswer, _ context: ChannelHandlerContext) {
        var fields = answer.headers
        fields.append(HTTPField(name: .contentLength, value: String(answer.body.readableBytes)))
        fields.append(HTTPField(name: .date, value: currentDate()))
        let head = HTTPResponse(status: answer.status, headerFields: fields)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.write(wrapOutboundOut(.body(answer.body)), promise: nil)
        context.write(wrapOutboundOut(.end(nil)), promise: nil)
        hasWritten = true
    }

    /// The value of `Date`, made once a second.
    private func currentDate() -> String {
        let now = edge.api.clocks.wall()
        let second = now.millisecondsSinceEpoch / 1_000
        if date.second != second { date = (second, now.httpDate) }
        return date.text
    }
}
