import KeybearerScan

/// What a scan found in the format of static analysis results, SARIF 2.1.0: what code hosts read.
struct ScanSARIF: Encodable {
    let version = "2.1.0"
    let schema = "https://json.schemastore.org/sarif-2.1.0.json"
    let runs: [Run]

    private enum CodingKeys: String, CodingKey {
        case version
        case schema = "$schema"
        case runs
    }

    struct Run: Encodable {
        let tool: Tool
        let columnKind = "unicodeCodePoints"
        let results: [Finding]
        let invocations: [Invocation]
    }

    struct Tool: Encodable { let driver: Driver }

    struct Driver: Encodable {
        let name = "keybearer scan"
        let version: String
        let rules: [Rule]
    }

    struct Rule: Encodable {
        let id: String
        let name: String
        let shortDescription: Message
        let defaultConfiguration: [String: String]
    }

    struct Message: Encodable { let text: String }

    struct Finding: Encodable {
        let ruleId: String
        let ruleIndex: Int
        let level: String
        let message: Message
        let locations: [Location]
        let partialFingerprints: [String: String]
    }

    struct Location: Encodable {
        let physicalLocation: PhysicalLocation
        let logicalLocations: [LogicalLocation]
    }

    struct PhysicalLocation: Encodable {
        let artifactLocation: ArtifactLocation
        let region: Region?
    }

    struct ArtifactLocation: Encodable { let uri: String }

    struct Region: Encodable {
        let startLine: Int
        let startColumn: Int
    }

    struct LogicalLocation: Encodable { let fullyQualifiedName: String }

    struct Invocation: Encodable {
        let executionSuccessful: Bool
        let toolExecutionNotifications: [Notification]
    }

    struct Notification: Encodable {
        let level = "error"
        let message: Message
        let locations: [Location]
    }
}

extension ScanOutput {
    /// The document.
    var sarif: ScanSARIF {
        let rules = KeyKind.allCases.map { kind in
            let rule = ScanRule(kind)
            return ScanSARIF.Rule(
                id: rule.id, name: rule.name, shortDescription: .init(text: rule.description),
                defaultConfiguration: ["level": rule.isCertain ? "error" : "warning"])
        }
        let problems = report.problems.map { problem in
            ScanSARIF.Notification(message: .init(text: problem.message), locations: [Self.location(problem.place)])
        }
        let run = ScanSARIF.Run(
            tool: .init(driver: .init(version: version, rules: rules)), results: report.finds.map(finding),
            invocations: [.init(executionSuccessful: problems.isEmpty, toolExecutionNotifications: problems)])
        return ScanSARIF(runs: [run])
    }

    private func finding(_ find: ScanFind) -> ScanSARIF.Finding {
        let rule = ScanRule(find.match.kind)
        var text = "\(find.match.shown)…: \(rule.description)"
        if let part = Self.part(find.part) { text += " It is \(part)." }
        if let sentence = sentence(of: find) { text += " " + sentence }
        return ScanSARIF.Finding(
            ruleId: rule.id, ruleIndex: KeyKind.allCases.firstIndex(of: find.match.kind) ?? 0,
            level: rule.isCertain ? "error" : "warning", message: .init(text: text),
            locations: [Self.location(find.place, find)], partialFingerprints: ["keybearerSecret/v1": find.fingerprint])
    }

    /// A line of a file in an archive is no line of the archive: then the region is left out.
    private static func location(_ place: ScanPlace, _ find: ScanFind? = nil) -> ScanSARIF.Location {
        let region =
            if place.inside.isEmpty, let line = find?.line, let column = find?.column {
                ScanSARIF.Region(startLine: line, startColumn: column)
            } else {
                ScanSARIF.Region?.none
            }
        return ScanSARIF.Location(
            physicalLocation: .init(artifactLocation: .init(uri: uri(place.path ?? place.file)), region: region),
            logicalLocations: [.init(fullyQualifiedName: place.description)])
    }

    /// A path as a relative reference, or an absolute one as the URL of a file.
    static func uri(_ path: String) -> String {
        var text = path.hasPrefix("/") ? "file://" : ""
        var rest = path
        while rest.hasPrefix("./") { rest.removeFirst(2) }
        for byte in rest.utf8 {
            let character = Character(Unicode.Scalar(byte))
            if byte < 128, character.isLetter || character.isNumber || "/-._~".contains(character) {
                text.append(character)
            } else {
                let digits = String(byte, radix: 16, uppercase: true)
                text += "%" + (byte < 16 ? "0" : "") + digits
            }
        }
        return text
    }
}
