import Keybearer
import NIOCore

/// One connection at the gate: finds requests in the bytes, and answers each on the event loop, in order.
///
/// Only a request that needs the store makes it wait; what comes behind that request then stays unread in the kernel,
/// as it does while the gateway does not read its answers.
final class GateHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let decision: GateDecision
    private let limits: GateRequestHead.Limits
    private let supervisor: ConnectionSupervisor
    private var responses: GateResponses
    private var peer: GateDecision.Peer?
    /// Bytes that are not a whole head yet.
    private var unread = ByteBuffer()
    /// How far ``unread`` was searched for the end of a head.
    private var searched = 0
    private var out = ByteBuffer()
    private var isAskingStore = false
    /// Whether a request was answered since the last pause.
    private var hasResponded = false
    private var isClosing = false
    private var hasFinished = false
    private var isStopping = false
    private var wantsRead = false

    init(decision: GateDecision, limits: GateRequestHead.Limits, supervisor: ConnectionSupervisor) {
        self.decision = decision
        self.limits = limits
        self.supervisor = supervisor
        responses = GateResponses(clocks: decision.clocks, challenges: decision.challenges)
    }

    func channelActive(context: ChannelHandlerContext) {
        peer = decision.peer(context.remoteAddress)
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        isClosing = true
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isClosing else { return }
        var bytes = unwrapInboundIn(data)
        if unread.readableBytes == 0 {
            unread = bytes
            searched = 0
        } else {
            // Without this, a client whose requests never end with what was read would let the buffer grow for ever.
            unread.discardReadBytes()
            unread.writeBuffer(&bytes)
        }
        respondAll(context)
        guard !isAskingStore else { return }
        let hasPart = unread.readableBytes > 0
        if hasResponded {
            supervisor.respondedImmediately(hasPart: hasPart)
        } else if hasPart {
            supervisor.readPartOfHead()
        }
        hasResponded = false
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        flush(context)
        context.fireChannelReadComplete()
    }

    /// Reads on only when what was read has been answered and taken.
    func read(context: ChannelHandlerContext) {
        if isAskingStore || !context.channel.isWritable {
            wantsRead = true
        } else if supervisor.mayRead {
            context.read()
        }
    }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        supervisor.close(mode: mode, promise: promise)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        readIfWanted(context)
        context.fireChannelWritabilityChanged()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        // The client closed its sending side: send the remaining responses, then close.
        if event is ChannelShouldQuiesceEvent || event as? ChannelEvent == .inputClosed {
            isStopping = true
            if !isAskingStore { finish(context) }
        }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { supervisor.abort() }

    private func respondAll(_ context: ChannelHandlerContext) {
        guard let peer else { return supervisor.close() }
        while !isAskingStore, !isClosing, unread.readableBytes > 0 {
            guard let length = headLength() else {
                if unread.readableBytes > limits.bytes { refuse() }
                return
            }
            let pending = unread.withUnsafeReadableBytes { bytes -> GateDecision.PendingRequest? in
                // The limit counts what the head holds, not what came in one piece with it.
                let head = UnsafeRawBufferPointer(rebasing: bytes[..<(length - 2)])
                guard length <= limits.bytes, let parsed = GateRequestHead(head, limits: limits) else {
                    refuse()
                    return nil
                }
                if parsed.closes { isClosing = true }
                return decision.respond(
                    parsed, in: head, from: peer, isStopping: isStopping, with: &responses, to: &out)
            }
            hasResponded = true
            unread.moveReaderIndex(forwardBy: length)
            searched = 0
            // Let go of, so that the channel reads into the same memory again.
            if unread.readableBytes == 0 { unread = ByteBuffer() }
            if let pending { request(pending, context) }
        }
    }

    /// The length of the next head with its empty line; nil when it is not all here.
    private func headLength() -> Int? {
        let from = max(0, searched - 3)
        let found = unread.withUnsafeReadableBytes { bytes -> Int? in
            var index = from
            while index + 3 < bytes.count {
                // Looks at the last byte first: most bytes are no part of an end.
                let byte = bytes[index + 3]
                if byte == 10 {
                    if bytes[index + 2] == 13, bytes[index + 1] == 10, bytes[index] == 13 { return index + 4 }
                    index += 2
                } else {
                    index += byte == 13 ? 1 : 4
                }
            }
            return nil
        }
        if found == nil { searched = unread.readableBytes }
        return found
    }

    private func request(_ pending: GateDecision.PendingRequest, _ context: ChannelHandlerContext) {
        isAskingStore = true
        supervisor.beganRequest()
        supervisor.readRequest()
        flush(context)
        let decision = decision
        context.askStore(of: decision.node.verifier) {
            await decision.verdictFromStore(pending)
        } then: { verdict, context in
            self.take(verdict, of: pending, context)
        }
    }

    private func take(_ verdict: Verdict, of pending: GateDecision.PendingRequest, _ context: ChannelHandlerContext) {
        isAskingStore = false
        guard context.channel.isActive else { return }
        supervisor.requestWithResponse()
        var format = pending.format
        format.closes = format.closes || isStopping
        let failed = decision.write(
            verdict, of: pending.admission, since: pending.begun, format: format, wall: decision.clocks.wall(),
            with: &responses, to: &out)
        if let failed, case .unavailable(let cause) = verdict { decision.failures.record(failed, cause) }
        if isClosing || isStopping { return finish(context) }
        respondAll(context)
        if !isAskingStore { supervisor.respondedImmediately(hasPart: unread.readableBytes > 0) }
        hasResponded = false
        flush(context)
        readIfWanted(context)
    }

    private func refuse() {
        isClosing = true
        let format = GateResponses.ResponseFormat(mode: .plain, isHead: false, closes: true)
        responses.deny(.unreadable, format: format, wall: decision.clocks.wall(), to: &out)
    }

    private func flush(_ context: ChannelHandlerContext) {
        if isClosing, !isAskingStore { return finish(context) }
        guard out.readableBytes > 0 else { return }
        var written = out
        out = ByteBuffer()
        context.writeAndFlush(wrapOutboundOut(written), promise: nil)
        // Reuse the buffer if the write completed immediately and nothing was written to `out` during the call.
        guard out.readableBytes == 0 else { return }
        written.clear()
        out = written
    }

    /// Writes what is left and ends the connection.
    private func finish(_ context: ChannelHandlerContext) {
        isClosing = true
        guard !hasFinished else { return }
        hasFinished = true
        context.writeAndFlush(wrapOutboundOut(out), promise: nil)
        out = ByteBuffer()
        supervisor.discardInput()
        supervisor.close()
    }

    private func readIfWanted(_ context: ChannelHandlerContext) {
        guard wantsRead else { return }
        wantsRead = false
        read(context: context)
    }
}
