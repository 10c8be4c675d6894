import Logging
import NIOCore
import NIOEmbedded
import NIOHTTP1
import Testing

@testable import Keybearer
@testable import KeybearerServer

/// What a client sends behind the last request of a connection, while that waits for its answer.
@Suite("Behind the last request", .timeLimit(.minutes(1)))
struct LastRequestTests {
    private final class Passed: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias InboundOut = ByteBuffer
        var bytes = 0

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            bytes += unwrapInboundIn(data).readableBytes
            context.fireChannelRead(data)
        }
    }

    private final class Reads: ChannelOutboundHandler {
        typealias OutboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer
        var count = 0

        func read(context: ChannelHandlerContext) {
            count += 1
            context.read()
        }
    }

    @Test(
        "Nothing of it is kept, and in the end nothing is read",
        arguments: [
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: x\r\n\r\n", "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "GET / HTTP/1.0\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}",
        ])
    func flood(request: String) throws {
        let channel = EmbeddedChannel()
        let registry = ConnectionRegistry(
            name: "test", bounds: .init(all: 10, perAddress: 10), clocks: .system,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let supervisor = ConnectionSupervisor(
            registry: registry, limits: .init(), peer: .init(network: nil, isExempt: true), isEncrypted: false)
        // Otherwise the end waits for the client.
        defer { supervisor.abort() }
        let (passed, reads) = (Passed(), Reads())
        let pipeline = channel.pipeline.syncOperations
        try pipeline.addHandlers(reads, supervisor, SupervisedOutbound(supervisor: supervisor), passed)
        try pipeline.configureHTTPServerPipeline(withPipeliningAssistance: false, withErrorHandling: false)
        try pipeline.addHandler(HTTP1Connection(supervisor: supervisor))
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        try channel.writeInbound(ByteBuffer(string: request))
        #expect(passed.bytes == request.utf8.count)
        for _ in 0..<64 { try channel.writeInbound(ByteBuffer(repeating: 0, count: 65_536)) }
        #expect(passed.bytes == request.utf8.count, "nothing reaches who would keep it")
        #expect(supervisor.life.requests == 1, "and the request still waits")
        let before = reads.count
        channel.read()
        channel.read()
        #expect(reads.count == before, "past the bound the kernel keeps what comes")
    }
}
