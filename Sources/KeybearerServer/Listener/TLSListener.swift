import HummingbirdCore
import Logging
import NIOCore
import NIOHPACK
import NIOHTTP1
import NIOHTTP2
import NIOHTTPTypes
import NIOHTTPTypesHTTP2
import NIOSSL
import NIOTLS

/// Serves HTTP/2 and HTTP/1.1 over TLS on one port, whichever the client negotiates.
///
/// The pipeline is put together here, and not by the HTTP library, for one reason: an oversized or malformed header
/// block has to be answered in the envelope, so it must be decoded up to a bound of our own and refused by us.
struct TLSListener: HTTPChannelHandler {
    typealias HTTP1Connection = HTTP1Channel.Value
    typealias HTTP2Connection = NIOHTTP2Handler.AsyncStreamMultiplexer<HTTP1Connection>

    struct Value: ServerChildChannelValue {
        let negotiated: EventLoopFuture<NIONegotiatedHTTPVersion<HTTP1Connection, HTTP2Connection>>
        let channel: any Channel
    }

    let responder: HTTPChannelHandler.Responder
    private let http1: HTTP1Listener
    private let limits: ListenerLimits
    private let tls: NIOSSLContext

    init(
        tls: NIOSSLContext, limits: ListenerLimits, edge: EdgeResponder,
        responder: @escaping HTTPChannelHandler.Responder
    ) {
        self.tls = tls
        self.limits = limits
        self.responder = responder
        http1 = HTTP1Listener(responder: responder, limits: limits, edge: edge)
    }

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        channel.eventLoop.makeCompletedFuture {
            let negotiation = NIOTypedApplicationProtocolNegotiationHandler<
                NIONegotiatedHTTPVersion<HTTP1Connection, HTTP2Connection>
            > { result, channel in
                if case .negotiated("h2") = result {
                    return self.setUpHTTP2(on: channel, logger: logger).map { .http2($0) }
                }
                return self.http1.setup(channel: channel, logger: logger).map { .http1_1($0) }
            }
            try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls))
            try channel.pipeline.syncOperations.addHandler(negotiation)
            return Value(negotiated: negotiation.protocolNegotiationResult, channel: channel)
        }
    }

    private func setUpHTTP2(on channel: any Channel, logger: Logger) -> EventLoopFuture<HTTP2Connection> {
        channel.eventLoop.makeCompletedFuture {
            var configuration = NIOHTTP2Handler.Configuration()
            configuration.connection.initialSettings = [
                HTTP2Setting(parameter: .maxConcurrentStreams, value: 100),
                HTTP2Setting(parameter: .maxHeaderListSize, value: limits.decodedHeaderListSize),
            ]
            configuration.connection.maximumSequentialContinuationFrames = limits.continuationFrames
            // HeaderBlockGuard checks the same and more, and answers where this would only reset the stream.
            configuration.connection.headerBlockValidation = .disabled
            let closer = HTTP2ConnectionCloser(idleTimeout: limits.idleTimeout)
            try channel.pipeline.syncOperations.addHandler(EarlySettings())
            let connection = try channel.pipeline.syncOperations.configureAsyncHTTP2Pipeline(
                mode: .server, streamDelegate: closer.streams, configuration: configuration
            ) { stream in
                self.setUpStream(stream, logger: logger)
            }
            try channel.pipeline.syncOperations.addHandler(closer)
            return connection
        }
    }

    private func setUpStream(_ stream: any Channel, logger: Logger) -> EventLoopFuture<HTTP1Connection> {
        stream.eventLoop.makeCompletedFuture {
            try stream.pipeline.syncOperations.addHandlers(
                HeaderBlockGuard(limits: limits), HTTP2FramePayloadToHTTPServerCodec(),
                HTTPConnectionStateHandler(idleTimeout: .nanoseconds(limits.idleTimeout.nanoseconds), logger: logger))
            return try HTTP1Connection(
                wrappingChannelSynchronously: stream, configuration: .init(isOutboundHalfClosureEnabled: true))
        }
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
