import Keybearer
import Logging
import NIOCore

/// The connections of all listeners of a server.
struct Connections: Sendable {
    /// A listener, with its share of the files that the process may open. A new listener joins this list.
    enum Listener: String, Sendable, CaseIterable {
        /// API and dashboard.
        case `public`
        /// Forward authentication: a part of the files is its own, so that no crowd on the public listener locks it
        /// out.
        case gate

        fileprivate func share(hasGate: Bool) -> Double {
            switch self {
            case .public: hasGate ? 0.75 : 1
            case .gate: hasGate ? 0.25 : 0
            }
        }
    }

    private let open: ConnectionRegistry
    private let gate: ConnectionRegistry
    private let limits: ConnectionLife.Limits

    /// - Throws: `CONFLICT` when the process may open too few files to serve anybody.
    init(settings: KeybearerServer.Settings, clocks: Clocks, logger: Logger) throws {
        limits = ConnectionLife.Limits(
            handshake: settings.headTimeout, head: settings.headTimeout, request: settings.requestTimeout,
            idle: settings.idleTimeout, linger: settings.linger)
        let files = OpenFiles.raiseLimit()
        let least = settings.reservedFiles + 32
        guard files >= least else {
            throw KeybearerError(
                .conflict, "The process may open \(files) files; \(least) is the least. Raise its limit (ulimit -n).")
        }
        func registry(_ listener: Listener) -> ConnectionRegistry {
            ConnectionRegistry(
                name: listener.rawValue,
                bounds: .within(
                    files: files - settings.reservedFiles, share: listener.share(hasGate: settings.gate != nil)),
                clocks: clocks,
                logger: logger)
        }
        open = registry(.public)
        gate = registry(.gate)
    }

    private func registry(of listener: Listener) -> ConnectionRegistry {
        switch listener {
        case .public: open
        case .gate: gate
        }
    }

    /// - Parameter isExempt: whether the bound per address does not count for a peer; nil is the peer of a Unix socket.
    func supervision(of listener: Listener, isExempt: @escaping @Sendable (IPAddress?) -> Bool) -> Supervision {
        Supervision(registry: registry(of: listener), limits: limits, isExempt: isExempt)
    }

    /// Ends every connection of every listener.
    func abortAll() {
        for listener in Listener.allCases { registry(of: listener).abortAll() }
    }
}
