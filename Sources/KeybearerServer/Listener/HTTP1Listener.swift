import HTTPTypes
import HummingbirdCore
import Keybearer
import Logging
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1

/// Serves HTTP/1.1: the HTTP library's connection, behind the supervisor of every connection.
struct HTTP1Listener: HTTPChannelHandler {
    typealias Value = HTTP1Channel.Value

    let responder: HTTPChannelHandler.Responder
    let limits: ListenerLimits
    let supervision: Supervision
    /// Answers immediately what memory can answer.
    let edge: EdgeResponder

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        channel.eventLoop.makeCompletedFuture {
            try self.addHandlers(to: channel, behind: supervision.supervise(channel, isEncrypted: false))
        }
    }

    /// Adds what stands behind the supervisor, or behind TLS.
    func addHandlers(to channel: any Channel, behind supervisor: ConnectionSupervisor) throws -> Value {
        var decoding = NIOHTTPDecoderLimitConfiguration()
        decoding.maxHeaderFieldSize = limits.headerBytes
        decoding.maxHeaderListSize = limits.headerBytes
        decoding.maxHeaderFieldCount = limits.headerCount
        let pipeline = channel.pipeline.syncOperations
        // The connection below answers in order; the HTTP types have checked what is written.
        try pipeline.configureHTTPServerPipeline(
            withPipeliningAssistance: false, withErrorHandling: false, withOutboundHeaderValidation: false,
            withEncoderConfiguration: .init(), withDecoderLimitConfiguration: decoding)
        try pipeline.addHandlers(
            HTTP1Connection(supervisor: supervisor), HTTP1ToHTTPServerCodec(secure: false), MemoryResponses(edge: edge))
        let value = try Value(
            wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: true))
        supervisor.held = value
        return value
    }

    func handle(value: Value, logger: Logger) async {
        await handleHTTP(asyncChannel: value, logger: logger)
    }
}
