import Logging
import NIOCore
import NIOPosix
import TestSupport
import Testing

@testable import Keybearer
@testable import KeybearerServer

/// A ``ConnectionSupervisor`` that ``Supervision`` puts at the head of a connection, on real sockets.
@Suite(.timeLimit(.minutes(1)))
struct ConnectionSupervisorTests {
    @Test("A connection that the listener gives up before it is open is closed")
    func endBeforeTheStart() async throws {
        let supervision = Supervision(
            registry: ConnectionRegistry(
                name: "test", bounds: .init(all: 10, perAddress: 10), clocks: .system,
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }),
            limits: .init(), isExempt: { _ in true })
        let listener = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    _ = try supervision.supervise(channel, isEncrypted: false)
                    // The bootstrap closes the connection, as it does when the listener is closed at this moment. What is
                    // written to it is never taken.
                    throw ChannelError.ioOnClosedChannel
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(listener.localAddress?.port)
        try await onThread {
            // It waits for 30 seconds at most, and then it fails.
            let connection = try RawConnection(port: port)
            #expect(try connection.takeRest().isEmpty)
        }
        try await listener.close()
    }
}
