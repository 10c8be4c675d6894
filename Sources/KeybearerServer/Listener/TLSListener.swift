import HummingbirdCore
import Keybearer
import Logging
import NIOCore
import NIOHTTP1
import NIOHTTP2
import NIOHTTPTypes
import NIOHTTPTypesHTTP2
import NIOSSL
import NIOTLS

/// Serves HTTP/2 and HTTP/1.1 over TLS on one port, whichever the client negotiates.
struct TLSListener: HTTPChannelHandler {
    typealias Connection1 = HTTP1Channel.Value
    typealias Connection2 = NIOHTTP2Handler.AsyncStreamMultiplexer<Connection1>

    struct Value: ServerChildChannelValue {
        let negotiated: EventLoopFuture<NIONegotiatedHTTPVersion<Connection1, Connection2>>
        let channel: any Channel
    }

    let responder: HTTPChannelHandler.Responder
    private let http1: HTTP1Listener
    private let limits: ListenerLimits
    private let supervision: Supervision
    private let certificates: CurrentCertificates

    init(
        certificates: CurrentCertificates, limits: ListenerLimits, supervision: Supervision, edge: EdgeResponder,
        responder: @escaping HTTPChannelHandler.Responder
    ) {
        self.certificates = certificates
        self.limits = limits
        self.supervision = supervision
        self.responder = responder
        http1 = HTTP1Listener(responder: responder, limits: limits, supervision: supervision, edge: edge)
    }

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        channel.eventLoop.makeCompletedFuture {
            let supervisor = NIOLoopBound(
                try supervision.supervise(channel, isEncrypted: true), eventLoop: channel.eventLoop)
            let negotiation = NIOTypedApplicationProtocolNegotiationHandler<
                NIONegotiatedHTTPVersion<Connection1, Connection2>
            > { result, channel in
                channel.eventLoop.makeCompletedFuture {
                    supervisor.value.finishedHandshake()
                    if case .negotiated("h2") = result {
                        return .http2(try self.addHTTP2(to: channel, behind: supervisor.value, logger: logger))
                    }
                    return .http1_1(try self.http1.addHandlers(to: channel, behind: supervisor.value))
                }
            }
            try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: certificates.context))
            try channel.pipeline.syncOperations.addHandler(negotiation)
            return Value(negotiated: negotiation.protocolNegotiationResult, channel: channel)
        }
    }

    private func addHTTP2(
        to channel: any Channel, behind supervisor: ConnectionSupervisor, logger: Logger
    ) throws -> Connection2 {
        var configuration = NIOHTTP2Handler.Configuration()
        configuration.connection.initialSettings = [
            HTTP2Setting(parameter: .maxConcurrentStreams, value: 100),
            HTTP2Setting(parameter: .maxHeaderListSize, value: limits.decodedHeaderListSize),
        ]
        configuration.connection.maximumSequentialContinuationFrames = limits.continuationFrames
        // HTTP2Stream checks the same and more, and answers where this would only reset the stream.
        configuration.connection.headerBlockValidation = .disabled
        let connection = HTTP2Connection(supervisor: supervisor)
        let bound = NIOLoopBound((supervisor, connection), eventLoop: channel.eventLoop)
        let streams = try channel.pipeline.syncOperations.configureAsyncHTTP2Pipeline(
            mode: .server, streamDelegate: nil, frameDelegate: connection, configuration: configuration
        ) { stream in
            stream.eventLoop.makeCompletedFuture {
                let handler = HTTP2Stream(supervisor: bound.value.0, connection: bound.value.1, limits: limits)
                try stream.pipeline.syncOperations.addHandlers(handler, HTTP2FramePayloadToHTTPServerCodec())
                let value = try Connection1(
                    wrappingChannelSynchronously: stream, configuration: .init(isOutboundHalfClosureEnabled: true))
                handler.held = value
                return value
            }
        }
        try channel.pipeline.syncOperations.addHandler(connection)
        supervisor.held = streams
        return streams
    }

    func handle(value: Value, logger: Logger) async {
        do {
            switch try await value.negotiated.get() {
            case .http1_1(let connection): await http1.handle(value: connection, logger: logger)
            case .http2(let connection):
                try await withThrowingDiscardingTaskGroup { group in
                    for try await stream in connection.inbound {
                        group.addTask { await self.handleHTTP(asyncChannel: stream, logger: logger) }
                    }
                }
            }
        } catch {
            logger.debug("A connection ended early.", metadata: ["error": "\(type(of: error))"])
        }
    }
}
