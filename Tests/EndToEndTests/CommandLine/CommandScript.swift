import Foundation
import TestSupport
import Testing

/// Commands and what they must print, read from a text file.
///
/// `Tests/CommandLine/README.md` describes the format.
struct CommandScript: Sendable, CustomTestStringConvertible {
    /// A line of the file, without its mark.
    struct Line: Sendable {
        let number: Int
        let text: String
    }

    /// One command and what is expected of it.
    struct Step: Sendable {
        /// Its line in the file.
        let line: Int
        fileprivate(set) var command: String
        fileprivate(set) var input: [Line] = []
        fileprivate(set) var output: [Line] = []
        fileprivate(set) var errors: [Line] = []
        fileprivate(set) var status: Int32 = 0
    }

    /// What the script says differs from what happened, or cannot be read.
    struct Mismatch: Error, CustomStringConvertible {
        let line: Int
        let description: String
    }

    /// The file's name.
    let name: String
    /// All that it says.
    let text: String
    private(set) var steps: [Step] = []

    var testDescription: String { name }

    /// Every script of the folder, by name.
    static func all() throws -> [CommandScript] {
        let names = try FileManager.default.contentsOfDirectory(atPath: Repository.url("Tests/CommandLine").path)
        return try names.filter { $0.hasSuffix(".txt") }.sorted().map {
            try CommandScript(try Repository.text(of: "Tests/CommandLine/\($0)"), name: $0)
        }
    }

    init(_ text: String, name: String) throws {
        (self.name, self.text) = (name, text)
        for (index, line) in text.components(separatedBy: "\n").enumerated() {
            try read(Line(number: index + 1, text: line))
        }
        // Blank lines between two commands are no output.
        for index in steps.indices {
            while steps[index].output.last?.text.isEmpty == true { steps[index].output.removeLast() }
        }
    }

    private mutating func read(_ line: Line) throws {
        let text = line.text
        func rest(_ mark: String) -> Line? {
            text.hasPrefix(mark) ? Line(number: line.number, text: String(text.dropFirst(mark.count))) : nil
        }
        if text == "#" || rest("# ") != nil { return }
        if let command = rest("$ ") {
            steps.append(Step(line: line.number, command: command.text))
            return
        }
        let last = steps.count - 1
        guard last >= 0 else {
            if text.isEmpty { return }
            throw Mismatch(line: line.number, description: "there is no command before this line")
        }
        if let more = rest("> ") {
            steps[last].command += " " + more.text
        } else if let input = rest("< ") {
            steps[last].input.append(input)
        } else if let error = rest("! ") {
            steps[last].errors.append(error)
        } else if text == "!" {
            steps[last].errors.append(Line(number: line.number, text: ""))
        } else if let status = text.wholeMatch(of: /\[(-?\d+)\]/) {
            steps[last].status = Int32(status.1) ?? .max
        } else {
            steps[last].output.append(rest("\\") ?? line)
        }
    }

    /// Runs every command in an installation of the script's own, until one does something else than expected.
    func run() throws {
        var run = try CommandScriptRun(usesPostgres: text.contains("$POSTGRES"))
        for step in steps { try run.run(step) }
    }
}
