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
        let isFormula = text.first.map { "=+-@\t\r".contains($0) } ?? false
        let shown = isFormula ? "'" + text : text
        guard shown.contains(where: { ",\"\r\n".contains($0) || $0 == "\r\n" }) else { return shown }
        return "\"" + shown.replacing("\"", with: "\"\"") + "\""
    }
}
