import Keybearer

/// A report as ``CSV``.
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
        return ([titles + UsageOutcome.refusals.map(\.rawValue)] + lines).map(CSV.row).joined()
    }
}
