import NIOCore
import NIOHTTP2

/// Ends an HTTP/2 connection: after an error of the connection, and in good order when the server stops.
final class HTTP2Connection: ChannelInboundHandler, NIOHTTP2FrameDelegate {
    typealias InboundIn = HTTP2Frame
    typealias InboundOut = HTTP2Frame
    typealias OutboundOut = HTTP2Frame

    private let supervisor: ConnectionSupervisor
    private var context: ChannelHandlerContext?
    private var lastStream = HTTP2StreamID.rootStream
    private var hasReadFrame = false

    init(supervisor: ConnectionSupervisor) {
        self.supervisor = supervisor
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        supervisor.beganHTTP2()
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        // Which requests were seen: a client may send the others again.
        supervisor.beforeClosing = {
            let connection = bound.value
            connection.sendGoAway(connection.lastStream)
        }
    }

    /// A stream was opened by the client.
    func began(_ id: HTTP2StreamID) { lastStream = max(lastStream, id) }

    /// Frames of the connection come here; those of a stream go to that.
    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        readFrame()
        context.fireChannelRead(data)
    }

    /// A frame came whole, for the connection or for a stream.
    func readFrame() {
        hasReadFrame = true
        supervisor.readFrame()
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        context.fireChannelReadComplete()
        if !hasReadFrame { supervisor.readPartOfFrame() }
        hasReadFrame = false
    }

    private func sendGoAway(_ last: HTTP2StreamID) {
        let frame = HTTP2Frame(
            streamID: .rootStream, payload: .goAway(lastStreamID: last, errorCode: .noError, opaqueData: nil))
        context?.writeAndFlush(wrapOutboundOut(frame), promise: nil)
    }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    /// The library says goodbye after an error and goes on reading; here that is the end.
    func wroteFrame(_ frame: HTTP2Frame) {
        guard case .goAway(_, let code, _) = frame.payload, code != .noError else { return }
        supervisor.discardInput()
        guard let context else { return supervisor.abort() }
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        // One turn of the loop later: the frame has not left yet.
        context.eventLoop.execute { bound.value.close(promise: nil) }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        // Streams that are under way to us are taken; the GOAWAY that follows names the last one.
        guard event is ChannelShouldQuiesceEvent else { return context.fireUserInboundEventTriggered(event) }
        sendGoAway(.maxID)
    }

    /// An error of a stream is its stream's matter; one of the connection has been answered with GOAWAY by now.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {}
}
