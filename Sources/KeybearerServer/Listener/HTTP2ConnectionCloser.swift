import Keybearer
import NIOCore
import NIOHTTP2
import Synchronization

/// Ends an HTTP/2 connection in good order: after idling, and when the server stops, once its streams are done.
final class HTTP2ConnectionCloser: ChannelInboundHandler {
    typealias InboundIn = HTTP2Frame
    typealias InboundOut = HTTP2Frame
    typealias OutboundOut = HTTP2Frame

    /// Counts the streams. The library calls it on the connection's event loop.
    final class StreamCount: NIOHTTP2StreamDelegate {
        private struct State {
            var open = 0
            var onChange: (@Sendable (Int) -> Void)?
        }
        private let state = Lock(State())

        func observe(_ onChange: (@Sendable (Int) -> Void)?) {
            state.withLock { $0.onChange = onChange }
        }

        func streamCreated(_ id: HTTP2StreamID, channel: any Channel) { change(by: 1) }

        func streamClosed(_ id: HTTP2StreamID, channel: any Channel) { change(by: -1) }

        private func change(by difference: Int) {
            let (open, onChange) = state.withLock { state in
                state.open += difference
                return (state.open, state.onChange)
            }
            onChange?(open)
        }
    }

    let streams = StreamCount()
    private let idleTimeout: TimeAmount
    private var openStreams = 0
    private var idleTask: Scheduled<Void>?
    private var isStopping = false

    init(idleTimeout: TimeAmount) {
        self.idleTimeout = idleTimeout
    }

    func handlerAdded(context: ChannelHandlerContext) {
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        streams.observe { open in
            let (closer, context) = bound.value
            closer.openStreams = open
            closer.streamsChanged(context: context)
        }
        streamsChanged(context: context)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        streams.observe(nil)
        idleTask?.cancel()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard event is ChannelShouldQuiesceEvent else { return context.fireUserInboundEventTriggered(event) }
        isStopping = true
        let goAway = HTTP2Frame(
            streamID: .rootStream,
            payload: .goAway(lastStreamID: .maxID, errorCode: .noError, opaqueData: nil))
        context.writeAndFlush(wrapOutboundOut(goAway), promise: nil)
        streamsChanged(context: context)
    }

    private func streamsChanged(context: ChannelHandlerContext) {
        idleTask?.cancel()
        idleTask = nil
        guard openStreams == 0 else { return }
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        // When stopping, one turn of the loop later, so that the last frames are written first.
        idleTask = context.eventLoop.scheduleTask(in: isStopping ? .zero : idleTimeout) {
            bound.value.close(promise: nil)
        }
    }
}
