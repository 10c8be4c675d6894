import NIOCore
import NIOPosix
import NIOSSL
import NIOTLS
import TestSupport
import Testing

@testable import KeybearerServer

/// Connections with hostile frames (``HTTP2Connection``, ``HTTP2Stream``) against a running server.
@Suite("Random frames over HTTP/2")
struct HTTP2FuzzTests {
    private static let atOnce: UInt64 = 32

    @Test("Whatever clients send and however they go, others are answered")
    func hostileConnections() async throws {
        let certificate = try ServerFixture.certificate()
        let fixture = try ServerFixture(tls: (certificate.certificateFile, certificate.keyFile))
        let (_, key) = try await fixture.account("ada@example.com")
        let context = try WireClient.tls(["h2"])
        let seeds = Fuzzer.connections
        // Of connections that shook hands, and of those that the server said anything to.
        let (shaken, heard) = (Counter(), Counter())
        let mark = try Fuzzer.mark("http2", seeds.lowerBound)
        defer { mark.remove() }
        let server = try fixture.server()
        try await fixture.listening(server) { client in
            let good = WireRequest(path: "/api/v1/me", headers: [("authorization", "Bearer \(key)")])
            for first in stride(from: seeds.lowerBound, to: seeds.upperBound, by: Int(Self.atOnce)) {
                mark.set(first)
                await withTaskGroup(of: Void.self) { group in
                    for seed in first..<min(first + Self.atOnce, seeds.upperBound) {
                        group.addTask {
                            let (isShaken, isHeard) = await HostileConnection.run(
                                seed: seed, port: client.port, context: context)
                            if isShaken { shaken.increment() }
                            if isHeard { heard.increment() }
                        }
                    }
                }
                guard first / 1_000 != (first + Self.atOnce) / 1_000 else { continue }
                let response = try await client.send(good, over: .http2)
                #expect(response.status == 200, "after the connections with seeds up to \(first + Self.atOnce)")
            }
            #expect(try await client.send(good, over: .http2).status == 200)
        }
        #expect(
            shaken.value >= seeds.count * 9 / 10 && heard.value >= seeds.count / 3, "\(shaken.value), \(heard.value)")
    }
}

/// One connection that sends a script and goes.
private final class HostileConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    /// How the client goes.
    private enum End: Sendable {
        /// In the handshake.
        case early
        /// When everything is written.
        case written
        /// Without reading anything, after a moment.
        case deaf
        /// When the server has said something, or soon.
        case responded
    }

    private let pieces: [ArraySlice<UInt8>]
    private let end: End
    private var isWritten = false
    private var isHeard = false
    private let done: EventLoopPromise<(isShaken: Bool, isHeard: Bool)>

    private init(pieces: [ArraySlice<UInt8>], end: End, done: EventLoopPromise<(isShaken: Bool, isHeard: Bool)>) {
        self.done = done
        self.pieces = pieces
        self.end = end
    }

    /// - Returns: whether both shook hands, and whether the server said anything.
    static func run(
        seed: UInt64, port: Int, context: NIOSSLContext
    ) async -> (isShaken: Bool, isHeard: Bool) {
        let bytes = HTTP2Script(seed: seed).bytes
        var numbers = FuzzNumbers(seed: ~seed)
        let end = numbers.once(in: 32) ? End.early : numbers.pick([.written, .responded, .responded, .deaf])
        var pieces: [ArraySlice<UInt8>] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = numbers.once(in: 2) ? rest.count : min(rest.count, 1 + numbers.below(100))
            pieces.append(rest.prefix(count))
            rest = rest.dropFirst(pieces.count > 30 ? rest.count : count)
        }
        let written = pieces
        let loop = MultiThreadedEventLoopGroup.singleton.any()
        let done = loop.makePromise(of: (isShaken: Bool, isHeard: Bool).self)
        var bootstrap = ClientBootstrap(group: loop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers(
                        NIOSSLClientHandler(context: context, serverHostname: nil),
                        HostileConnection(pieces: written, end: end, done: done))
                }
            }
        #if os(Linux)
        // Each address has its own ports, which stay taken for a minute.
        let source = try? SocketAddress(ipAddress: "127.0.0.\(2 + seed / 1_000 % 250)", port: 0)
        if let source { bootstrap = bootstrap.bind(to: source) }
        #endif
        do {
            _ = try await bootstrap.connect(host: "127.0.0.1", port: port).get()
        } catch {
            done.succeed((false, false))
        }
        return (try? await done.futureResult.get()) ?? (false, false)
    }

    func channelActive(context: ChannelHandlerContext) {
        context.fireChannelActive()
        if end == .early { return close(context) }
        // In case that neither side ever says anything more.
        closeLater(context, .seconds(10))
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard let event = event as? TLSUserEvent, case .handshakeCompleted = event else {
            return context.fireUserInboundEventTriggered(event)
        }
        if end == .deaf { context.channel.setOption(.autoRead, value: false).whenComplete { _ in } }
        for piece in pieces {
            context.writeAndFlush(NIOAny(ByteBuffer(bytes: piece)), promise: nil)
        }
        isWritten = true
        switch end {
        case .early, .written: close(context)
        case .deaf: closeLater(context, .milliseconds(20))
        case .responded: closeLater(context, .seconds(2))
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        done.succeed((isWritten, isHeard))
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        isHeard = true
        if isWritten, end == .responded { closeLater(context, .milliseconds(5)) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        close(context)
    }

    private func closeLater(_ context: ChannelHandlerContext, _ delay: TimeAmount) {
        let bound = NIOLoopBound((handler: self, context: context), eventLoop: context.eventLoop)
        context.eventLoop.scheduleTask(in: delay) { bound.value.handler.close(bound.value.context) }
    }

    /// Without a word over TLS, for whose answer the library would wait.
    private func close(_ context: ChannelHandlerContext) {
        guard let tls = try? context.pipeline.syncOperations.context(handlerType: NIOSSLClientHandler.self) else {
            return
        }
        tls.close(promise: nil)
    }
}
