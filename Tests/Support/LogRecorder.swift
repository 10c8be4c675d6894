import Keybearer
public import Logging
import Synchronization

/// Keeps what is logged, from notices on.
public final class LogRecorder: LogHandler {
    /// What was logged immediately.
    public struct Line: Sendable {
        /// How much it matters.
        public let level: Logger.Level
        /// The message, and its metadata in the order of its names.
        public let text: String
    }

    private let recorded = Lock<[Line]>([])

    /// With nothing logged yet.
    public init() {}

    /// What was logged, oldest first.
    public var lines: [Line] { recorded.withLock { $0 } }

    public var logLevel: Logger.Level {
        get { .notice }
        set {}
    }
    public var metadata: Logger.Metadata {
        get { [:] }
        set {}
    }
    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { nil }
        set {}
    }

    public func log(event: LogEvent) {
        let fields = (event.metadata ?? [:]).map { "\($0.key)=\($0.value)" }.sorted().joined(separator: " ")
        recorded.withLock { $0.append(Line(level: event.level, text: "\(event.message) \(fields)")) }
    }
}
