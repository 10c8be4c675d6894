import Keybearer
import NIOCore

/// Stands at the head of every connection, whatever it carries, and owns its limits: how long each stage may take, how
/// a connection ends, and what of it is discarded then.
///
/// The handlers behind it tell it what they read and answered; it decides with ``ConnectionLife``. Bytes pass through
/// it untouched until no further request is taken: from then on they are discarded, up to a bound, and reach nothing
/// that could keep them.
///
/// What the handlers behind it write goes past it. They read and close through it: by ``SupervisedOutbound``, or by
/// themselves.
final class ConnectionSupervisor: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let registry: ConnectionRegistry
    private let limits: ConnectionLife.Limits
    private let peer: ConnectionRegistry.Peer
    private(set) var life: ConnectionLife
    private var id: ConnectionRegistry.ID?
    private var context: ChannelHandlerContext?
    private var connections: LoopConnections?
    private let idleness = ConnectionRegistry.Idleness()
    /// The open streams of HTTP/2.
    private var streams: [ObjectIdentifier: HTTP2Stream] = [:]
    /// The asynchronous side of the connection, held until the connection is closed. One that is accepted while the
    /// server stops reaches nobody, and the library ends the process when it is let go open.
    var held: Any?
    /// What is written before the connection is closed for idleness or a stop.
    var beforeClosing: (() -> Void)?
    /// How many more bytes are discarded; nil while they are passed on.
    private var bytesToDiscard: Int?
    private var isClosing = false
    private var isInputClosed = false
    /// Whether bytes came since the last time that reading paused, and whether they end a handshake.
    private var hasRead = false
    private var isHandshake = false
    /// Whether what was read may not be all that the client has sent: then closing immediately could reset the
    /// connection, and a reset can overtake the last answer.
    private var mayHaveMore = false

    /// The most that a client may go on sending behind the last answer.
    private static let mostDiscarded = 256 * 1_024

    init(
        registry: ConnectionRegistry, limits: ConnectionLife.Limits, peer: ConnectionRegistry.Peer, isEncrypted: Bool
    ) {
        self.registry = registry
        self.limits = limits
        self.peer = peer
        life = ConnectionLife(limits: limits, isEncrypted: isEncrypted)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        let loop = context.eventLoop
        id = registry.admit(peer, idleness: idleness) { loop.execute { bound.value.abort() } }
        connections = registry.connections(on: context.eventLoop, tick: limits.tick)
        connections?.add(self)
        if id == nil, context.channel.isActive { abort() }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        leave()
        held = nil
    }

    func channelActive(context: ChannelHandlerContext) {
        guard id != nil else { return abort() }
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        leave()
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        hasRead = true
        guard let left = bytesToDiscard else { return context.fireChannelRead(data) }
        bytesToDiscard = left - unwrapInboundIn(data).readableBytes
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        context.fireChannelReadComplete()
        (hasRead, isHandshake) = (false, false)
        // Whoever is behind this asks for no more.
        if bytesToDiscard ?? 0 > 0 { context.read() }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case ChannelEvent.inputClosed:
            isInputClosed = true
            switch life.stage {
            // A request that has come is answered all the same.
            case .busy: context.fireUserInboundEventTriggered(event)
            case .lingering: abort()
            // Also while closing: nobody is left to answer TLS's close_notify.
            case .handshake, .idle, .head, .closing: close()
            }
        case is ChannelShouldQuiesceEvent:
            // First those behind: they may have something to say before the end.
            context.fireUserInboundEventTriggered(event)
            act(life.stop())
        default: context.fireUserInboundEventTriggered(event)
        }
    }

    // MARK: What the handlers behind ask for

    /// Whether anything more is read. Past the bound of what is discarded the client is held up until the connection
    /// ends.
    var mayRead: Bool { bytesToDiscard ?? 1 > 0 }

    /// Flushes, then half-closes. Closes fully immediately when the client cannot have sent more; otherwise when the
    /// client closes or the time to linger is over.
    func close(mode: CloseMode = .all, promise: EventLoopPromise<Void>? = nil) {
        guard let context else {
            promise?.fail(ChannelError.alreadyClosed)
            return
        }
        // The listener may give up a connection before it is open. What is written to that is never taken.
        guard context.channel.isActive else { return context.close(mode: .all, promise: promise) }
        // Where the other half is closed, closing ours is closing all.
        guard mode == .all || (mode == .output && isInputClosed) else {
            return context.close(mode: mode, promise: promise)
        }
        context.channel.closeFuture.cascade(to: promise)
        guard !isClosing else { return }
        isClosing = true
        if life.stage == .busy { mayHaveMore = true }
        life.beginClosing()
        if mayHaveMore { discardInput() }
        // Done when everything before it was taken. A channel whose other half is closed would drop it immediately.
        let written = context.eventLoop.makePromise(of: Void.self)
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        written.futureResult.whenComplete { bound.value.wroteAll($0) }
        context.writeAndFlush(wrapOutboundOut(ByteBuffer()), promise: written)
    }

    private func wroteAll(_ result: Result<Void, any Error>) {
        guard case .success = result, mayHaveMore, !isInputClosed, let context else { return abort() }
        life.beginLingering()
        context.close(mode: .output, promise: nil)
    }

    // MARK: What the handlers behind tell

    func finishedHandshake() {
        isHandshake = true
        life.finishedHandshake()
    }

    /// What was read since the last pause, if anything, is no whole head.
    func readPartOfHead() {
        if hasRead, !isHandshake { life.readPartOfHead() }
    }

    func beganHTTP2() { life.beganHTTP2() }

    func readFrame() { life.readFrame() }

    /// What was read since the last pause, if anything, is no whole HTTP/2 frame.
    func readPartOfFrame() {
        if hasRead, !isHandshake { life.readPartOfFrame() }
    }

    func began(_ stream: HTTP2Stream) {
        streams[ObjectIdentifier(stream)] = stream
        beganRequest()
    }

    func ended(_ stream: HTTP2Stream, wasRead: Bool) {
        streams[ObjectIdentifier(stream)] = nil
        requestWithResponse(wasRead: wasRead)
    }

    /// A head was read, and passed on to be answered.
    func beganRequest() {
        if life.beganRequest() { recordServed() }
    }

    /// The end of the newest request was read.
    func readRequest() { life.readRequest() }

    /// A request was answered to the end.
    func requestWithResponse(wasRead: Bool = true) { act(life.requestWithResponse(wasRead: wasRead)) }

    /// What was read has been answered immediately. See ``ConnectionLife/respondedImmediately(hasPart:)``.
    func respondedImmediately(hasPart: Bool) {
        if life.respondedImmediately(hasPart: hasPart) { recordServed() }
    }

    /// The last answer is being written: what comes in from now on is discarded.
    ///
    /// Called before the connection is closed through its pipeline.
    func discardInput() {
        mayHaveMore = true
        life.beginClosing()
        dropInput()
    }

    /// No further request is taken: what comes in from now on is discarded, while those that have come are answered.
    ///
    /// The parser would keep what it does not parse.
    func dropInput() {
        guard bytesToDiscard == nil else { return }
        bytesToDiscard = Self.mostDiscarded
        context?.read()
    }

    /// Time has passed.
    func passed(_ time: Duration) {
        idleness.tick(isIdle: life.stage == .idle)
        for stream in Array(streams.values) { stream.passed(time, limit: limits.request) }
        act(life.passed(time))
    }

    /// Ends the connection without another byte, whatever the handlers behind would like.
    func abort() {
        guard let context else { return }
        isInputClosed = true
        context.close(mode: .all, promise: nil)
    }

    /// It has sent a whole request: it no longer gives way first.
    private func recordServed() {
        if let id { registry.finished(id) }
    }

    private func act(_ action: ConnectionLife.Action) {
        switch action {
        case .none: break
        case .abort: abort()
        case .close:
            guard let context else { return }
            beforeClosing?()
            beforeClosing = nil
            life.beginClosing()
            dropInput()
            let channel = context.channel
            // From the far end, so that TLS can say goodbye; one turn of the loop later, so that what was written is
            // gone.
            context.eventLoop.execute { channel.close(promise: nil) }
        }
    }

    private func leave() {
        if let id { registry.remove(id) }
        id = nil
        connections?.remove(self)
        connections = nil
        beforeClosing = nil
        context = nil
    }
}
