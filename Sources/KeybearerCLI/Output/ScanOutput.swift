import Keybearer
import KeybearerScan
import KeybearerServer

/// What a scan found, as text and as JSON.
struct ScanOutput {
    let report: ScanReport
    let checks: ScanChecks?
    let version: String

    init(_ report: ScanReport, _ checks: ScanChecks?, version: String) {
        (self.report, self.checks, self.version) = (report, checks, version)
    }

    // MARK: - Text

    /// One line for each find.
    var lines: [String] {
        report.finds.map { find in
            var line = "\(find.location): \(find.match.shown)… \(ScanRule(find.match.kind).name)"
            if let part = Self.part(find.part) { line += " \(part)" }
            return line + (sentence(of: find).map { ". \($0)" } ?? "")
        }
    }

    /// Where it is if not in the content.
    static func part(_ part: ScanFind.Part) -> String? {
        switch part {
        case .content: nil
        case .name: "in a name"
        case .commit: "in the commit"
        case .tag: "in the tag"
        case .tree: "in a file name of the history"
        }
    }

    /// What the check says of it; nil without a check.
    func sentence(of find: ScanFind) -> String? {
        guard let checks else { return nil }
        if find.match.kind == .operatorToken { return "Operator tokens are not checked." }
        return checks.owner(of: find)?.sentence ?? "It is no key of this installation."
    }

    // MARK: - JSON

    /// One document.
    struct Document: Encodable {
        let finds: [Find]
        let problems: [Problem]
        /// Whether everything was read.
        let complete: Bool
    }

    struct Find: Encodable {
        let rule: String
        let certain: Bool
        /// The whole place, as the text has it.
        let place: String
        let file: String
        let commit: String?
        let path: String?
        let inside: [String]
        let part: String
        let line: Int?
        let column: Int?
        /// The first characters.
        let prefix: String
        let fingerprint: String
        /// Only with `--check`: `live`, `ended`, or `unknown`.
        let status: String?
        let owner: KeyOwnerJSON?
    }

    struct Problem: Encodable {
        let place: String
        let message: String
    }

    var json: Document {
        Document(
            finds: report.finds.map { find in
                let owner = checks?.owner(of: find)
                return Find(
                    rule: ScanRule(find.match.kind).id, certain: ScanRule(find.match.kind).isCertain,
                    place: find.place.description, file: find.place.file, commit: find.place.revision,
                    path: find.place.path, inside: find.place.inside, part: find.part.rawValue, line: find.line,
                    column: find.column, prefix: find.match.shown, fingerprint: find.fingerprint,
                    status: checks == nil ? nil : owner?.status ?? "unknown", owner: owner)
            },
            problems: report.problems.map { Problem(place: $0.place.description, message: $0.message) },
            complete: report.problems.isEmpty)
    }
}
