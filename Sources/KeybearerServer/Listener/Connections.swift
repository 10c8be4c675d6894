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
        /// The operator API, where it is not on the public listener: then no crowd there keeps an operator from
        /// disabling an account.
        case operators
        /// What is measured: whoever watches is not locked out by what is watched.
        case metrics

        fileprivate func share(_ settings: KeybearerServer.Settings) -> Double {
            let gate = settings.gate == nil ? 0 : 0.25
            let operators = settings.operatorAddress == nil ? 0 : 0.1
            let metrics = settings.metricsAddress == nil ? 0 : 0.05
            return switch self {
            case .public: 1 - gate - operators - metrics
            case .gate: gate
            case .operators: operators
            case .metrics: metrics
            }
        }
    }

    private let open: ConnectionRegistry
    private let gate: ConnectionRegistry
    private let operators: ConnectionRegistry
    private let metrics: ConnectionRegistry
    /// How many files the process may have open.
    let files: Int
    private let limits: ConnectionLife.Limits

    /// - Throws: `CONFLICT` when the process may open too few files to serve anybody.
    init(settings: KeybearerServer.Settings, clocks: Clocks, logger: Logger) throws {
        limits = ConnectionLife.Limits(
            handshake: settings.headTimeout, head: settings.headTimeout, request: settings.requestTimeout,
            idle: settings.idleTimeout, linger: settings.linger)
        let files = OpenFiles.raiseLimit()
        self.files = files
        let least = settings.reservedFiles + 32
        guard files >= least else {
            throw KeybearerError(
                .conflict, "The process may open \(files) files; \(least) is the least. Raise its limit (ulimit -n).")
        }
        func registry(_ listener: Listener) -> ConnectionRegistry {
            ConnectionRegistry(
                name: listener.rawValue,
                bounds: .within(
                    files: files - settings.reservedFiles, share: listener.share(settings)),
                clocks: clocks,
                logger: logger)
        }
        open = registry(.public)
        gate = registry(.gate)
        operators = registry(.operators)
        metrics = registry(.metrics)
    }

    private func registry(of listener: Listener) -> ConnectionRegistry {
        switch listener {
        case .public: open
        case .gate: gate
        case .operators: operators
        case .metrics: metrics
        }
    }

    /// How many connections a listener has.
    func count(of listener: Listener) -> Int { registry(of: listener).count }

    /// How many it may have.
    func limit(of listener: Listener) -> Int { registry(of: listener).bounds.all }

    /// - Parameter isExempt: whether the bound per address does not count for a peer; nil is the peer of a Unix socket.
    func supervision(of listener: Listener, isExempt: @escaping @Sendable (IPAddress?) -> Bool) -> Supervision {
        Supervision(registry: registry(of: listener), limits: limits, isExempt: isExempt)
    }

    /// Ends every connection of every listener.
    func abortAll() {
        for listener in Listener.allCases { registry(of: listener).abortAll() }
    }
}
