import Keybearer
import Logging
import Synchronization

/// Writes the requests that the gate could not decide to the log, with their identifiers: a few lines a second, and how
/// many more there were. In an outage every request is one.
final class GateFailureLog: Sendable {
    /// How many are written each second.
    static let mostPerSecond = 5

    private struct State {
        /// How many were written in the second that has begun; 0 when none has.
        var written = 0
        var more = 0
        var last: (request: UInt64, cause: any Error)?
    }

    private let logger: Logger
    private let state = Lock(State())

    init(logger: Logger) {
        self.logger = logger
    }

    /// Notes a request that was answered with a fault of ours.
    func record(_ request: UInt64, _ cause: any Error) {
        let (begins, isWritten) = state.withLock { state in
            let begins = state.written == 0
            if state.written < Self.mostPerSecond {
                state.written += 1
                return (begins, true)
            }
            state.more += 1
            state.last = (request, cause)
            return (begins, false)
        }
        if isWritten { write("A request at the gate failed.", request, cause) }
        if begins {
            Task {
                try? await Task.sleep(for: .seconds(1))
                endSecond()
            }
        }
    }

    /// Says how many more there were in the second that ends.
    func endSecond() {
        let ended = state.withLock { state in
            defer { state = State() }
            return state
        }
        guard let last = ended.last else { return }
        write("More requests at the gate failed.", last.request, last.cause, count: ended.more)
    }

    private func write(_ message: Logger.Message, _ request: UInt64, _ cause: any Error, count: Int? = nil) {
        var metadata: Logger.Metadata = [
            "request": "\(RequestIdentifier.text(request))", "code": "\(ErrorCode.unavailable.rawValue)",
            // What happened underneath says more than what the client was told.
            "cause": "\(String(reflecting: (cause as? KeybearerError)?.cause ?? cause))",
        ]
        if let count { metadata["more"] = "\(count)" }
        logger.error(message, metadata: metadata)
    }
}
