import Foundation
import Keybearer

/// Where text goes: what was asked for, secrets among it, to standard output; all else to standard error.
///
/// Whatever goes through here is escaped (``VisibleText``), so no command can forget it.
enum Console {
    /// Prints what was asked for.
    static func output(_ text: String) {
        write(VisibleText.escaped(text, keepsLines: true) + "\n")
    }

    /// Where it cannot be written, what was asked for is not there: the program ends.
    private static func write(_ text: String) {
        do {
            try FileHandle.standardOutput.write(contentsOf: Data(text.utf8))
        } catch {
            exit(Failure.Status.ioError.rawValue)
        }
    }

    /// Tells a person something beside it.
    static func report(_ text: String) {
        try? FileHandle.standardError.write(contentsOf: Data((VisibleText.escaped(text, keepsLines: true) + "\n").utf8))
    }

    /// Prints a value as JSON with sorted names.
    static func json(_ value: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        let text = VisibleText.escapedJSON(String(decoding: try encoder.encode(value), as: UTF8.self))
        write(text + "\n")
    }

    /// Prints a value as JSON with sorted names on one line.
    static func jsonLine(_ value: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        output(VisibleText.escapedJSON(String(decoding: try encoder.encode(value), as: UTF8.self)))
    }

    /// Prints rows under a heading, the columns as wide as their widest cell.
    static func table(_ heading: [String], _ rows: [[String]]) {
        let shown = ([heading] + rows).map { $0.map { VisibleText.escaped($0, keepsLines: false) } }
        let widths = heading.indices.map { column in shown.map { $0[column].count }.max() ?? 0 }
        for row in shown {
            let cells = zip(row, widths).map { cell, width in
                cell + String(repeating: " ", count: max(0, width - cell.count))
            }
            var line = cells.joined(separator: "  ")
            while line.last == " " { line.removeLast() }
            output(line)
        }
    }
}
