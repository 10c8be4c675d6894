import HTTPTypes
import Keybearer
import NIOCore
import NIOHTTPTypes

/// Answers on the event loop what memory can answer; everything else goes on to the asynchronous server.
///
/// It keeps the order of answers: while a request is with the server, those behind it follow it there. And it keeps
/// the back-pressure: when the client does not read its answers, requests go to the server, which waits.
final class MemoryResponses: ChannelDuplexHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private let edge: EdgeResponder
    /// Requests that the server has and has not answered to the end.
    private var withServer = 0
    /// The head of a request that may have no body: decided when its end was read, and not before.
    private var held: HTTPRequest?
    private var hasWritten = false
    private var peer: IPAddress?
    private var date = (second: Int64.min, text: "")

    init(edge: EdgeResponder) {
        self.edge = edge
    }

    func handlerAdded(context: ChannelHandlerContext) {
        peer = context.remoteAddress.flatMap { IPAddress($0) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            if withServer == 0, head.method == .get {
                held = head
            } else {
                withServer += 1
                context.fireChannelRead(data)
            }
        case .body:
            passOn(context)
            context.fireChannelRead(data)
        case .end:
            if let head = held, context.channel.isWritable, let response = edge.respondNow(to: head, peer: peer) {
                held = nil
                write(response, context)
            } else {
                passOn(context)
                context.fireChannelRead(data)
            }
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        // A body is announced and has not begun: nothing here waits for it.
        passOn(context)
        if hasWritten {
            hasWritten = false
            context.flush()
        }
        context.fireChannelReadComplete()
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if case .end = unwrapOutboundIn(data) { withServer -= 1 }
        context.write(data, promise: promise)
    }

    private func passOn(_ context: ChannelHandlerContext) {
        guard let head = held else { return }
        held = nil
        withServer += 1
        context.fireChannelRead(wrapInboundOut(.head(head)))
    }

    private func write(_ response: APIResponse, _ context: ChannelHandlerContext) {
        var headers = response.headers
        headers.append(HTTPField(name: .contentLength, value: String(response.body.readableBytes)))
        headers.append(HTTPField(name: .date, value: currentDate()))
        let head = HTTPResponse(status: response.status, headerFields: headers)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.write(wrapOutboundOut(.body(response.body)), promise: nil)
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
