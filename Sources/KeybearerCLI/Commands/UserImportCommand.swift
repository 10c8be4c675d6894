import ArgumentParser
import Foundation
import Keybearer

/// `keybearer user import`: the product's users, without passwords, from a file.
extension UserCommand {
    struct Import: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make accounts without passwords from a file, or bring them up to date.",
            discussion: """
                The file is CSV with a line of names (email, name, externalId and, if you like, key), or has a JSON object
                with these members on each line. An account whose external id is there already is changed where it
                differs: the command can be run again, and goes on where it ended.

                A key is one that the user has already; it becomes the new account's Secret Key. An account without one
                gets a new key. Keep the file from other users of the machine, and remove it afterwards.
                """)
        @OptionGroup(title: SettingOptions.title) var options: SettingOptions
        @Argument(help: "The file: its name ends in .csv or .ndjson.") var file: String
        @Flag(
            name: .long,
            help: """
                Take over the accounts that have an address of the file already. Where nobody has shown that the address \
                is theirs, the password, sessions and key go.
                """)
        var adopt = false

        func run() async throws {
            let rows = try ImportFile.rows(of: file, adopts: adopt)
            try await Bootstrap(options).withInstallation { services in
                let bar = ProgressBar()
                var failures = 0
                for first in stride(from: 0, to: rows.count, by: Self.together) {
                    let part = rows[first..<min(rows.count, first + Self.together)]
                    let results = await services.writes.put(part.map { ($0.externalID, $0.input) }, by: .commandLine)
                    for (row, result) in zip(part, results) {
                        guard case .failure(let error) = result else { continue }
                        failures += 1
                        let problems = error.fields.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }
                        let why = problems.isEmpty ? error.message : problems.joined(separator: " ")
                        Console.report("line \(row.line): \(row.externalID): \(why)")
                    }
                    bar.show("accounts", done: first + part.count, total: rows.count)
                }
                bar.end()
                Console.report("\(rows.count - failures) of \(rows.count) accounts are as the file says.")
                if failures > 0 { throw ExitCode(Failure.Status.dataError.rawValue) }
            }
        }

        /// So many share a transaction.
        private static let together = 100
    }
}

/// A file of users.
enum ImportFile {
    /// A user of the file.
    struct Row: Sendable {
        let line: Int
        let externalID: ExternalID
        let input: UserInput
    }

    /// Reads a file whole. What is wrong with it is said before anything is written.
    ///
    /// - Parameter adopts: whether a row takes over an account that has its address already.
    /// - Throws: ``CommandFailure`` that names the line.
    static func rows(of path: String, adopts: Bool) throws -> [Row] {
        try rows(of: path).map { row in
            var input = row.input
            input.adopts = adopts
            return Row(line: row.line, externalID: row.externalID, input: input)
        }
    }

    private static func rows(of path: String) throws -> [Row] {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw CommandFailure(.noInput, "\(path) cannot be read")
        }
        guard let text = String(validating: data, as: UTF8.self) else {
            throw CommandFailure(.dataError, "\(path) is not UTF-8 text")
        }
        if path.hasSuffix(".csv") { return try csv(text) }
        guard path.hasSuffix(".ndjson") else {
            throw CommandFailure(.dataError, "\(path): its name must end in .csv or .ndjson")
        }
        return try lines(text).filter { !$0.text.isEmpty }.map { line, text in
            guard let members = try? JSONDecoder().decode([String: String].self, from: Data(text.utf8)) else {
                throw CommandFailure(.dataError, "line \(line): not a JSON object of texts")
            }
            return try row(line, members)
        }
    }

    private static func csv(_ text: String) throws -> [Row] {
        var lines = lines(text).filter { !$0.text.isEmpty }
        guard !lines.isEmpty else { throw CommandFailure(.dataError, "the file is empty") }
        let names = try cells(lines.removeFirst())
        return try lines.map { line in
            let values = try cells(line)
            guard values.count == names.count else {
                throw CommandFailure(
                    .dataError,
                    "line \(line.line): \(values.count) values, where the first line has \(names.count) names")
            }
            return try row(line.line, Dictionary(zip(names, values)) { $1 })
        }
    }

    private static func row(_ line: Int, _ members: [String: String]) throws -> Row {
        let known: Set = ["email", "name", "externalId", "key"]
        if let unknown = members.keys.sorted().first(where: { !known.contains($0) }) {
            // In a file without a line of names, it may be a key.
            let shown = unknown.utf8.count < 20 ? "'\(unknown)'" : "a name"
            throw CommandFailure(.dataError, "line \(line): \(shown) is none of email, name, externalId, key")
        }
        guard let id = members["externalId"].flatMap({ ExternalID(parsing: $0) }) else {
            throw CommandFailure(.dataError, "line \(line): externalId: \(ExternalID.rule)")
        }
        var input = UserInput()
        (input.email, input.name, input.isEmailVerified) = (members["email"], members["name"], true)
        if let key = members["key"], !key.isEmpty { input.keyToImport = KeyToImport(key) }
        return Row(line: line, externalID: id, input: input)
    }

    private static func lines(_ text: String) -> [(line: Int, text: String)] {
        text.split(separator: /\r?\n/, omittingEmptySubsequences: false).enumerated()
            .map { ($0.offset + 1, String($0.element)) }
    }

    /// The values of one line (RFC 4180, without line breaks in a value).
    private static func cells(_ line: (line: Int, text: String)) throws -> [String] {
        var (cells, cell, isQuoted) = ([String](), "", false)
        var rest = Substring(line.text)
        while let next = rest.popFirst() {
            switch next {
            case "\"" where isQuoted && rest.first == "\"":
                cell.append("\"")
                rest.removeFirst()
            case "\"": isQuoted.toggle()
            case "," where !isQuoted:
                cells.append(cell)
                cell = ""
            default: cell.append(next)
            }
        }
        if isQuoted { throw CommandFailure(.dataError, "line \(line.line): a quote is not closed") }
        return cells + [cell]
    }
}
