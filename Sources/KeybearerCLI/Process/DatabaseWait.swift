import Foundation
import Keybearer
import KeybearerSQL
import Logging
import UnixSignals

/// Opens a server's database, and waits for one that is not up yet: machines that start together come up in any order.
///
/// Only what passes by itself is waited for: a host that cannot be reached and a server that is starting up. A wrong
/// password or a missing database ends the start immediately.
struct DatabaseWait {
    private static let pause: Duration = .seconds(1)
    /// How often a line says that it still waits.
    private static let reminder: Duration = .seconds(10)

    let bootstrap: Bootstrap

    /// - Throws: why the database could not be used, when the setting `database-wait` is over or waiting is of no use.
    func open() async throws -> SQLStore {
        let logger = bootstrap.logger
        let began = SteadyTime.systemNow()
        var saidAt: SteadyTime?
        var signals: StopSignals?
        while true {
            do {
                let store = try bootstrap.openStore(.server)
                if saidAt != nil {
                    logger.notice("The database is there.", metadata: ["waited": "\(Self.seconds(since: began)) s"])
                }
                signals?.end()
                return store
            } catch let error as KeybearerError {
                let now = SteadyTime.systemNow()
                let left = bootstrap.settings.databaseWait - began.duration(to: now)
                guard let failure = error.storeFailure, failure.isOfStartingUp, left > .zero else { throw error }
                if signals == nil { signals = await StopSignals.listen(logger) }
                if saidAt.map({ $0.duration(to: now) >= Self.reminder }) ?? true {
                    saidAt = now
                    logger.warning(
                        "Waiting for the database.",
                        metadata: [
                            "cause": "\(failure.summary)", "waited": "\(Self.seconds(since: began)) s",
                            "longest": "\(bootstrap.settings.databaseWait)",
                        ])
                }
                try await Task.sleep(for: min(Self.pause, left))
            }
        }
    }

    private static func seconds(since began: SteadyTime) -> Int64 {
        began.duration(to: .systemNow()).wholeMilliseconds / 1_000
    }
}

/// Ends the process when it is told to stop before it serves: nothing is open yet. Process 1 of a container has to ask
/// for signals.
private struct StopSignals {
    private let listener: Task<Void, Never>

    /// Returns when the signals are listened to: one that came earlier ends the process by itself, and none is lost.
    static func listen(_ logger: Logger) async -> StopSignals {
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
        return StopSignals(
            listener: Task {
                for await _ in signals {
                    logger.notice("Stopped while waiting for the database.")
                    exit(0)
                }
            })
    }

    /// Leaves signals to the server.
    func end() { listener.cancel() }
}
