import Foundation
import Keybearer
import TestSupport

/// One run of a script: its installation, and what it has captured so far.
struct CommandScriptRun {
    private let files: InstallationFiles
    private var values: ScriptValues

    /// - Parameter usesPostgres: whether an empty PostgreSQL database is made, for `$POSTGRES`.
    init(usesPostgres: Bool) throws {
        files = try InstallationFiles()
        values = ScriptValues(["DIR": files.directory.path])
        values.insert("PASSWORD", UUID().uuidString, isSecret: true)
        if usesPostgres { values.insert("POSTGRES", try PostgresDatabase().address, isSecret: false) }
    }

    /// Runs one command and compares what it wrote and how it ended.
    mutating func run(_ step: CommandScript.Step) throws {
        var words = try values.words(of: step.command, line: step.line)
        var environment = [
            "KEYBEARER_DATABASE": files.database, "KEYBEARER_MASTER_KEY_FILE": files.masterKeys, "LC_ALL": "C",
        ]
        while let assignment = words.first?.wholeMatch(of: /([A-Z_]+)=(.*)/) {
            environment[String(assignment.1)] = String(assignment.2)
            words.removeFirst()
        }
        guard let program = words.first else {
            throw CommandScript.Mismatch(line: step.line, description: "there is no command")
        }
        let input = try step.input.map { try values.substitute($0.text, line: $0.number) + "\n" }.joined()
        let result = try CommandRunner.run(
            program: program == "keybearer" ? CommandRunner.binary() : program, Array(words.dropFirst()),
            environment: environment, stdin: input)
        try compare(step.output, with: result.stdout, "standard output", of: step)
        try compare(step.errors, with: result.stderr, "standard error", of: step)
        if values.secrets.contains(where: { result.stderr.contains($0.value) }) {
            throw CommandScript.Mismatch(
                line: step.line, description: "standard error holds a secret:\n\(result.stderr)")
        }
        guard result.status == step.status else {
            throw CommandScript.Mismatch(
                line: step.line,
                description: "the exit status\nexpected: \(step.status)\nfound:    \(result.status)\n\(result.stderr)")
        }
    }

    private mutating func compare(
        _ expected: [CommandScript.Line], with text: String, _ stream: String, of step: CommandScript.Step
    ) throws {
        var found = text.components(separatedBy: "\n")
        // The last line ends too, or there is none.
        let isEnded = found.removeLast().isEmpty
        var search = LineSearch(expected: expected, found: found, values: values)
        guard isEnded, let values = try search.values(from: 0, 0, values) else {
            let (line, index) = (search.furthest.expected, search.furthest.found)
            throw CommandScript.Mismatch(
                line: line < expected.count ? expected[line].number : step.line,
                description: """
                    \(stream)
                    expected: \(line < expected.count ? expected[line].text : "no more lines")
                    found:    \(index < found.count ? found[index] : isEnded ? "no more lines" : "a last line without end")
                    all of it:
                    \(text)
                    """)
        }
        self.values = values
    }
}

/// What a script's `$NAME`s stand for.
struct ScriptValues {
    /// A captured key, password or token.
    struct Secret {
        let name: String
        let value: String
    }

    private var values: [String: String]
    private(set) var secrets: [Secret] = []

    init(_ values: [String: String]) { self.values = values }

    /// Gives a value a name.
    ///
    /// - Returns: false when the name has a value, or the value has a name: what is captured is new.
    @discardableResult
    mutating func insert(_ name: String, _ value: String, isSecret: Bool) -> Bool {
        guard values[name] == nil, !values.values.contains(value) else { return false }
        values[name] = value
        if isSecret {
            secrets.append(Secret(name: name, value: value))
            values[name + "_PREFIX"] = String(value.prefix(8))
        }
        return true
    }

    /// The value of a name.
    func value(_ name: some StringProtocol, line: Int) throws -> String {
        guard let value = values[String(name)] else {
            throw CommandScript.Mismatch(line: line, description: "$\(name) has no value yet")
        }
        return value
    }

    /// A text with values in the place of names.
    func substitute(_ text: String, line: Int) throws -> String {
        try text.replacing(/\$([A-Z][A-Z_]*)/) { try value($0.1, line: line) }
    }

    /// The words of a command: `'…'` is one word as it stands, `"…"` one word with `\n`, `\t` and values.
    func words(of command: String, line: Int) throws -> [String] {
        try command.matches(of: /'([^']*)'|"([^"]*)"|\S+/).map { match in
            if let literal = match.1 { return String(literal) }
            guard let quoted = match.2 else { return try substitute(String(match.0), line: line) }
            let text = quoted.replacing("\\n", with: "\n").replacing("\\t", with: "\t")
            return try substitute(String(text), line: line)
        }
    }
}

/// The search for the lines that a script expects among those that a command wrote.
private struct LineSearch {
    let expected: [CommandScript.Line]
    let found: [String]
    let values: ScriptValues
    /// How far both lists agree.
    var furthest = (expected: 0, found: 0)

    /// The values after everything from two indexes on has matched; nil when it does not.
    mutating func values(from line: Int, _ index: Int, _ values: ScriptValues) throws -> ScriptValues? {
        if index >= furthest.found { furthest = (line, index) }
        guard line < expected.count else { return index == found.count ? values : nil }
        if expected[line].text == "…" {
            for next in index...found.count {
                // What is left out holds no secret.
                if next > index, values.secrets.contains(where: { found[next - 1].contains($0.value) }) { return nil }
                if let matched = try self.values(from: line + 1, next, values) { return matched }
            }
            return nil
        }
        guard index < found.count else { return nil }
        let pattern = try OutputPattern(expected[line], values: values)
        guard let matched = pattern.match(found[index], values) else { return nil }
        return try self.values(from: line + 1, index + 1, matched)
    }
}

/// One expected line: text, values, `…`, and kinds such as `{key}` or `{key KEY}`.
private struct OutputPattern {
    /// What a kind looks like.
    private static let kinds = [
        "key": "tdc_[0-9A-Za-z]{38}", "key-prefix": "tdc_[0-9A-Za-z]{4}", "password": "[0-9A-Za-z]{20}",
        "token": "[a-z]+_[0-9A-Za-z]{30,}", "user": "usr_[0-9A-Za-z]{20}", "workspace": "ws_[0-9A-Za-z]{20}",
        "recipient": "kbbackup_[a-z2-7]{52}", "master-key": "mk_[0-9A-Za-z]{20}", "webhook": "whe_[0-9A-Za-z]{20}",
        "time": #"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"#, "number": #"\d+"#,
    ]
    /// Those that must be given a name.
    private static let secretKinds: Set = ["key", "password", "token"]

    private let text: String
    private var captured: [(name: String, isSecret: Bool)] = []
    private let regex: Regex<AnyRegexOutput>

    init(_ line: CommandScript.Line, values: ScriptValues) throws {
        text = line.text
        var pattern = ""
        var rest = text[...]
        while let mark = rest.firstMatch(of: /\$([A-Z][A-Z_]*)|\{([a-z-]+)(?: ([A-Z][A-Z_]*))?\}|…/) {
            pattern += NSRegularExpression.escapedPattern(for: String(rest[..<mark.range.lowerBound]))
            rest = rest[mark.range.upperBound...]
            if let name = mark.1 {
                pattern += NSRegularExpression.escapedPattern(for: try values.value(name, line: line.number))
            } else if let kind = mark.2 {
                let isSecret = Self.secretKinds.contains(String(kind))
                guard let form = Self.kinds[String(kind)], !isSecret || mark.3 != nil else {
                    throw CommandScript.Mismatch(
                        line: line.number, description: "\(mark.0) is no kind, or a secret without a name")
                }
                pattern += mark.3 == nil ? form : "(\(form))"
                if let name = mark.3 { captured.append((String(name), isSecret)) }
            } else {
                pattern += ".*?"
            }
        }
        regex = try Regex(pattern + NSRegularExpression.escapedPattern(for: String(rest)))
    }

    /// The values with what this line captures; nil when the line is another, or holds a secret that is not named.
    func match(_ line: String, _ values: ScriptValues) -> ScriptValues? {
        guard let match = line.wholeMatch(of: regex) else { return nil }
        var values = values
        for (index, capture) in captured.enumerated() {
            guard let value = match.output[index + 1].substring,
                values.insert(capture.name, String(value), isSecret: capture.isSecret)
            else { return nil }
        }
        let isSecretHidden = values.secrets.contains { secret in
            line.contains(secret.value) && !text.contains("$\(secret.name)") && !text.contains(" \(secret.name)}")
        }
        return isSecretHidden ? nil : values
    }
}
