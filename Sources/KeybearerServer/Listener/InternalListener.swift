import Hummingbird
import HummingbirdCore
import Keybearer
import Logging
import NIOCore
import ServiceLifecycle

/// Serves a part of the routes on a listener of its own, beside the public one, which then has none of them.
struct InternalListener: Service {
    let listener: Connections.Listener
    let address: GateSettings.Address
    let responder: EdgeResponder
    let server: HTTPServerBuilder
    let clocks: Clocks
    let logger: Logger
    /// For the library.
    let quietLogger: Logger
    /// Called once with the port, 0 for a Unix socket, when requests are answered.
    let onReady: @Sendable (_ port: Int) -> Void

    func run() async throws {
        switch address {
        case .network(let host, let port): try await serve(at: .hostname(host, port: port)) { _ in }
        case .unixSocket(let path): try await serve(onSocket: path)
        }
    }

    /// - Parameter bound: called with the listening channel, before the port is told.
    private func serve(at address: BindAddress, bound: @escaping @Sendable (any Channel) async -> Void) async throws {
        let (name, clocks, logger, onReady) = (listener.rawValue, clocks, logger, onReady)
        let application = Application(
            responder: responder, server: server, configuration: ApplicationConfiguration(address: address),
            onServerRunning: { channel in
                try? await channel.eventLoop.submit {
                    let shortage = FileShortage(listener: name, clocks: clocks, logger: logger)
                    try channel.pipeline.syncOperations.addHandler(shortage, position: .first)
                }.get()
                await bound(channel)
                onReady(channel.localAddress?.port ?? 0)
            }, logger: quietLogger)
        try await application.run()
    }

    /// The library takes any socket over that it finds, also one that somebody listens on. So it may bind this one only
    /// when that was looked at, under the socket's lock.
    private func serve(onSocket path: String) async throws {
        let (channels, announce) = AsyncStream<any Channel>.makeStream()
        let (files, fileIsReady) = AsyncStream<UnixSocketFile?>.makeStream()
        try await withThrowingTaskGroup(of: Void.self) { group in
            defer { group.cancelAll() }
            let (channel, file) = try await UnixSocketFile.bind(path) {
                group.addTask {
                    defer { announce.finish() }
                    try await serve(at: .unixDomainSocket(path: path)) { channel in
                        announce.yield(channel)
                        // The port is told when the permissions of the file are set.
                        _ = await files.first { _ in true }
                    }
                }
                guard let channel = await channels.first(where: { _ in true }) else {
                    // The task says why.
                    try await group.next()
                    throw CancellationError()
                }
                return channel
            }
            fileIsReady.yield(file)
            await withTaskCancellationOrGracefulShutdownHandler {
                try? await channel.closeFuture.get()
            } onCancelOrGracefulShutdown: {
                // While this process listens nobody takes the file; later it could be another's.
                file?.remove()
            }
            try await group.waitForAll()
        }
    }
}
