import Keybearer
package import Logging
import Synchronization

/// Keeps what is logged, from notices on.
package final class LogRecorder: LogHandler {
    /// What was logged immediately.
    package struct Line: Sendable {
        /// How much it matters.
        package let level: Logger.Level
        /// The message, and its metadata in the order of its names.
        package let text: String
    }

    private let recorded = Lock<[Line]>([])

    /// With nothing logged yet.
    package init() {}

    /// What was logged, oldest first.
    package var lines: [Line] { recorded.withLock { $0 } }

    package var logLevel: Logger.Level {
        get { .notice }
        set {}
    }
    package var metadata: Logger.Metadata {
        get { [:] }
        set {}
    }
    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { nil }
        set {}
    }

    package func log(event: LogEvent) {
        let fields = (event.metadata ?? [:]).map { "\($0.key)=\($0.value)" }.sorted().joined(separator: " ")
        recorded.withLock { $0.append(Line(level: event.level, text: "\(event.message) \(fields)")) }
    }
}
