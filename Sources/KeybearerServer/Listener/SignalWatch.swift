import Keybearer
import Logging
import UnixSignals

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Watches the signals of a process that serves, beside the library that begins the stop at the first `SIGTERM` or `SIGINT`.
struct SignalWatch: Sendable {
    let connections: Connections
    let stopTimeout: Duration
    let logger: Logger
    /// What `SIGHUP` reads again.
    let reload: @Sendable () async throws -> Void

    /// Runs until it is cancelled.
    func run() async {
        var cut: Task<Void, Never>?
        defer { cut?.cancel() }
        for await signal in await UnixSignalsSequence(trapping: .sigterm, .sigint, .sighup) {
            if signal == .sighup {
                await readAgain()
            } else if cut == nil {
                logger.info("Stopping.", metadata: ["within": "\(stopTimeout.secondsRoundedUp) s"])
                cut = Task { await endConnections() }
            } else {
                logger.warning("Stopped by a second signal: what was not written is lost.")
                _exit(128 + (signal == .sigint ? SIGINT : SIGTERM))
            }
        }
    }

    private func readAgain() async {
        do {
            try await reload()
            logger.info("Certificates and master keys were read again.")
        } catch {
            logger.error(
                "Not everything could be read again: what could not stays as it was.", metadata: ["error": "\(error)"])
        }
    }

    /// Whoever still has a connection late in the stop is not waited for: the last quarter is for what must be written.
    private func endConnections() async {
        try? await Task.sleep(for: stopTimeout * 3 / 4)
        if !Task.isCancelled { connections.abortAll() }
    }
}
