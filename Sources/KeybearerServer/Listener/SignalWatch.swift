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

/// Watches the signals of a process that serves, beside the library that begins the stop at the first `SIGTERM` or
/// `SIGINT`.
struct SignalWatch: Sendable {
    /// Something that `SIGHUP` reads again. It keeps what it had when that fails.
    typealias Reload = (name: String, read: @Sendable () async throws -> Void)

    let connections: Connections
    let stopTimeout: Duration
    let logger: Logger
    /// What `SIGHUP` reads again; with nothing to read it is not trapped.
    let reloads: [Reload]

    /// Runs until it is cancelled.
    func run() async {
        await withDiscardingTaskGroup { group in
            var isStopping = false
            // Apart from the signals: reading may wait for the database. One at a time, and one more at most.
            let (wanted, want) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
            group.addTask { for await _ in wanted { await readAgain() } }
            let trapped: [UnixSignal] = [.sigterm, .sigint] + (reloads.isEmpty ? [] : [.sighup])
            for await signal in await UnixSignalsSequence(trapping: trapped) {
                if signal == .sighup {
                    want.yield()
                } else if !isStopping {
                    isStopping = true
                    logger.info("Stopping.", metadata: ["within": "\(stopTimeout.secondsRoundedUp) s"])
                    group.addTask { await endConnections() }
                } else {
                    logger.warning("Stopped by a second signal: what was not written is lost.")
                    _exit(128 + (signal == .sigint ? SIGINT : SIGTERM))
                }
            }
            group.cancelAll()
        }
    }

    private func readAgain() async {
        for (name, read) in reloads {
            do {
                try await read()
                logger.info("Reloaded.", metadata: ["what": "\(name)"])
            } catch {
                logger.error(
                    "Reload failed; the previous one stays in use. Fix the file and send SIGHUP again.",
                    metadata: ["what": "\(name)", "error": "\(error)"])
            }
        }
    }

    /// Whoever still has a connection late in the stop is not waited for: the last quarter is for what must be written.
    private func endConnections() async {
        try? await Task.sleep(for: stopTimeout * 3 / 4)
        if !Task.isCancelled { connections.abortAll() }
    }
}
