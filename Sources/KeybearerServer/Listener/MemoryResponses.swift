import HTTPTypes
import Keybearer
import NIOCore
import NIOHTTPTypes

/// Answers on the event loop what memory can answer, and what memory can answer once the store has decided about the key;
/// everything else goes on to the asynchronous server.
///
/// It keeps the order of answers: while a request is with the server, those behind it follow it there, and while one waits
/// for the store, nothing behind it is read. And it keeps the back-pressure: when the client does not read its answers,
/// requests go to the server, which waits.
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
    /// Whether a request waits for the store.
    private var isAskingStore = false
    /// What was read behind it before reading stopped.
    private var behind: [HTTPRequestPart] = []
    /// Whether the client has closed its half behind it.
    private var hasInputEnded = false
    private var wantsRead = false
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
        let part = unwrapInboundIn(data)
        if isAskingStore { return behind.append(part) }
        switch part {
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
            if !respondNow(context) {
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

    /// Reads on only when the request that was read has its answer.
    func read(context: ChannelHandlerContext) {
        if isAskingStore {
            wantsRead = true
        } else {
            context.read()
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        // The server would end the connection: it knows nothing of the request that waits.
        if isAskingStore, event as? ChannelEvent == .inputClosed {
            hasInputEnded = true
        } else {
            context.fireUserInboundEventTriggered(event)
        }
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if case .end = unwrapOutboundIn(data) { withServer -= 1 }
        context.write(data, promise: promise)
    }

    /// Answers the request whose end was read, or asks the store about it; false where the server must answer it.
    private func respondNow(_ context: ChannelHandlerContext) -> Bool {
        guard let head = held, context.channel.isWritable else { return false }
        switch edge.respondNow(to: head, peer: peer) {
        case .notHere: return false
        case .response(let response): write(response, context)
        case .pending(let pending): askStore(pending, context)
        }
        held = nil
        return true
    }

    private func askStore(_ pending: APIResponder.PendingRequest, _ context: ChannelHandlerContext) {
        isAskingStore = true
        let api = edge.api
        context.askStore(of: api.node.verifier) {
            await api.verdictFromStore(pending)
        } then: { verdict, context in
            self.take(verdict, of: pending, context)
        }
    }

    private func take(_ verdict: Verdict, of pending: APIResponder.PendingRequest, _ context: ChannelHandlerContext) {
        isAskingStore = false
        let parts = behind
        behind = []
        guard context.channel.isActive else { return }
        write(edge.respond(to: pending, verdict), context)
        // Another of them may need the store: then the rest is kept again.
        for part in parts { channelRead(context: context, data: wrapInboundOut(part)) }
        channelReadComplete(context: context)
        guard !isAskingStore else { return }
        if hasInputEnded {
            hasInputEnded = false
            context.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        }
        if wantsRead {
            wantsRead = false
            context.read()
        }
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

extension ChannelHandlerContext {
    /// Asks the store about a request of this connection: off the event loop, and back on it with the verdict.
    ///
    /// - Parameters:
    ///   - verifier: whose store is asked.
    ///   - verdict: asks the store.
    ///   - take: what the connection does with the verdict.
    func askStore(
        of verifier: Verifier, _ verdict: @escaping @Sendable () async -> Verdict,
        then take: @escaping (Verdict, ChannelHandlerContext) -> Void
    ) {
        let bound = NIOLoopBound((take, self), eventLoop: eventLoop)
        let promise = eventLoop.makePromise(of: Verdict.self)
        Task(executorPreference: verifier.executor) { promise.succeed(await verdict()) }
        promise.futureResult.whenSuccess { verdict in
            let (take, context) = bound.value
            take(verdict, context)
        }
    }
}
