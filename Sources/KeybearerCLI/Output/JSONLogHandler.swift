import Foundation
import Keybearer
import Logging

/// Writes log lines as one JSON object each, to standard error: `time`, `level`, `message`, and the metadata.
struct JSONLogHandler: LogHandler {
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?
    var logLevel: Logger.Level = .info
    let label: String

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let provided = metadata.merging(metadataProvider?.get() ?? [:]) { $1 }
        var fields = provided.merging(event.metadata ?? [:]) { $1 }.mapValues(\.description)
        fields["time"] = Clocks.system.wall().description
        fields["level"] = event.level.rawValue
        fields["message"] = event.message.description
        fields["label"] = label
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard let line = try? encoder.encode(fields) else { return }
        let text = VisibleText.escapedJSON(String(decoding: line, as: UTF8.self))
        FileHandle.standardError.write(Data((text + "\n").utf8))
    }
}
