import Logging

/// Writes log lines as text to standard error, one line each, in which nothing commands a terminal.
struct TextLogHandler: LogHandler {
    private var lines: StreamLogHandler

    init(label: String) { lines = StreamLogHandler.standardError(label: label) }

    var metadata: Logger.Metadata {
        get { lines.metadata }
        set { lines.metadata = newValue.mapValues(Self.visible) }
    }

    var metadataProvider: Logger.MetadataProvider? {
        get { lines.metadataProvider }
        set { lines.metadataProvider = newValue }
    }

    var logLevel: Logger.Level {
        get { lines.logLevel }
        set { lines.logLevel = newValue }
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { lines[metadataKey: key] }
        set { lines[metadataKey: key] = newValue.map(Self.visible) }
    }

    func log(event: LogEvent) {
        var visible = event
        visible.message = "\(VisibleText.escaped(event.message.description, keepsLines: false))"
        visible.metadata = event.metadata?.mapValues(Self.visible)
        lines.log(event: visible)
    }

    private static func visible(_ value: Logger.MetadataValue) -> Logger.MetadataValue {
        .string(VisibleText.escaped(value.description, keepsLines: false))
    }
}
