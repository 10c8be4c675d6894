import Keybearer

/// A report as comma-separated values (RFC 4180), whose cells no spreadsheet takes for formulas.
enum UsageCSV {
    /// A line of titles, a line for each bar, and no total: whoever adds the lines gets it.
    static func text(of report: UsageReport) -> String {
        let titles = ["start", "end", "time_zone", "is_partial", "admitted", "refused"]
        let lines = report.bars.map { bar in
            [
                report.zone.local(at: bar.start).description, report.zone.local(at: bar.end).description,
                report.zone.name, bar.isPartial ? "true" : "false", String(bar.admitted), String(bar.refused),
            ] + UsageOutcome.refusals.map { String(bar.count($0)) }
        }
        return ([titles + UsageOutcome.refusals.map(\.rawValue)] + lines)
            .map { $0.map(cell).joined(separator: ",") + "\r\n" }.joined()
    }

    /// A cell. What a spreadsheet would calculate gets an apostrophe, which makes it text.
    static func cell(_ text: String) -> String {
        // By bytes: a carriage return and a line feed are one character.
        let isFormula = text.utf8.first.map { "=+-@\t\r".utf8.contains($0) } ?? false
        let shown = isFormula ? "'" + text : text
        guard shown.utf8.contains(where: { ",\"\r\n".utf8.contains($0) }) else { return shown }
        return "\"" + shown.replacing("\"", with: "\"\"") + "\""
    }
}
