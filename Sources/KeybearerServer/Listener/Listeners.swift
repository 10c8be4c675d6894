import HummingbirdCore
import Keybearer
import Logging
import ServiceLifecycle

/// Makes the listeners of a server, all with the same limits, over the same connections and the same certificate.
struct Listeners: Sendable {
    let settings: KeybearerServer.Settings
    let connections: Connections
    /// nil where nothing is encrypted.
    let certificates: CurrentCertificates?
    let clocks: Clocks
    let logger: Logger
    /// For the library.
    let quietLogger: Logger

    /// What serves HTTP on a listener.
    func server(_ listener: Connections.Listener, _ edge: EdgeResponder, isTLS: Bool) -> HTTPServerBuilder {
        let limits = ListenerLimits(headerBytes: settings.headerBytes, headerCount: settings.headerCount)
        let trusted = ClientAddress(trusted: settings.trustedProxies)
        let supervision = connections.supervision(of: listener) { $0.map { trusted.isTrusted($0) } ?? true }
        guard isTLS, let certificates else {
            return HTTPServerBuilder {
                HTTP1Listener(responder: $0, limits: limits, supervision: supervision, edge: edge)
            }
        }
        return HTTPServerBuilder {
            TLSListener(
                certificates: certificates, limits: limits, supervision: supervision, edge: edge, responder: $0)
        }
    }

    /// One of the listeners beside the public one.
    func listener(
        _ listener: Connections.Listener, at address: GateSettings.Address, _ edge: EdgeResponder, isTLS: Bool,
        onReady: @escaping @Sendable (Int) -> Void
    ) -> InternalListener {
        InternalListener(
            listener: listener, address: address, responder: edge, server: server(listener, edge, isTLS: isTLS),
            clocks: clocks, logger: logger, quietLogger: quietLogger, onReady: onReady)
    }

    /// What gateways ask.
    func gate(_ decision: GateDecision, onReady: @escaping @Sendable (Int) -> Void) -> GateListener {
        GateListener(
            decision: decision, limits: .init(bytes: settings.headerBytes, headers: settings.headerCount),
            supervision: connections.supervision(of: .gate) { _ in true }, logger: logger, onReady: onReady)
    }
}

extension KeybearerServer {
    /// Where a server listens.
    public struct ListeningPorts: Sendable {
        /// The port of API and dashboard.
        public let server: Int
        /// The gate's port, 0 on a Unix socket; nil when there is no gate.
        public let gate: Int?
        /// The operator API's port, 0 on a Unix socket; nil when it is on the public listener.
        public let operators: Int?
        /// The port of the metrics, 0 on a Unix socket; nil when there are none.
        public let metrics: Int?
    }
}

extension Listeners {
    /// A listener beside the public one, which says when it answers.
    struct Announced: Sendable {
        /// nil where there is none.
        let service: (any Service)?
        private let ports: AsyncStream<Int>

        /// - Parameter make: makes the listener; what it is handed is called once with the port, 0 for a Unix socket.
        init(_ make: (@escaping @Sendable (Int) -> Void) throws -> (any Service)?) rethrows {
            let (ports, ready) = AsyncStream<Int>.makeStream()
            self.ports = ports
            service = try make { ready.yield($0) }
        }

        /// Waits until requests are answered; nil where there is no listener.
        ///
        /// - Throws: `CancellationError` when it could not be opened.
        func port() async throws -> Int? {
            guard service != nil else { return nil }
            guard let port = await ports.first(where: { _ in true }) else { throw CancellationError() }
            return port
        }
    }
}
