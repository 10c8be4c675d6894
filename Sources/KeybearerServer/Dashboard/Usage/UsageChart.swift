import Keybearer

/// The chart of a report: a stack for each bar, in a picture that is stretched to the space that there is.
///
/// The numbers are in the table beside it: the picture is for eyes alone.
struct UsageChart: Sendable, Equatable {
    /// A part of a stack.
    struct Part: Sendable, Equatable {
        /// What it counts, for the style sheet.
        let kind: String
        let top: Int
        let height: Int
    }

    /// One bar.
    struct Stack: Sendable, Equatable {
        let left: Int
        /// The space that a pointer finds it in.
        let slot: Int
        let title: String
        let isPartial: Bool
        let parts: [Part]
    }

    static let height = 1_000
    static let slotWidth = 100
    static let barWidth = 76

    let width: Int
    let stacks: [Stack]
    /// What the top of the picture stands for, and the middle.
    let most: String
    let half: String
    /// The first, the middle and the last bar's beginning.
    let labels: [String]

    init(_ report: UsageReport) {
        let most = Self.scale(report.bars.map { $0.admitted + $0.refused }.max() ?? 0)
        width = report.bars.count * Self.slotWidth
        self.most = QuotaMeter.grouped(most)
        half = QuotaMeter.grouped(most / 2)
        stacks = report.bars.enumerated().map { place, bar in
            let slot = place * Self.slotWidth
            return Stack(
                left: slot + (Self.slotWidth - Self.barWidth) / 2, slot: slot,
                title: "\(UsagePanel.label(of: bar, report)): \(QuotaMeter.grouped(bar.admitted)) admitted, "
                    + "\(QuotaMeter.grouped(bar.refused)) refused",
                isPartial: bar.isPartial, parts: Self.parts(of: bar, most: most))
        }
        labels = [0, report.bars.count / 2, report.bars.count - 1].filter(report.bars.indices.contains).map { place in
            Self.shortLabel(of: report.bars[place], report)
        }
    }

    /// The parts lie on each other without a gap: their edges are rounded, not their heights.
    private static func parts(of bar: UsageReport.Bar, most: Int) -> [Part] {
        var below = 0
        return UsageOutcome.allCases.compactMap { outcome in
            let count = bar.count(outcome)
            guard count > 0 else { return nil }
            let bottom = height - below * height / most
            below += count
            let top = height - below * height / most
            let kind = outcome.rawValue.replacing("_", with: "-")
            return Part(kind: kind, top: top, height: bottom - top)
        }
    }

    /// The least even number of 2, 4, 6, 10, 20 and so on that is not below the highest bar.
    static func scale(_ highest: Int) -> Int {
        var step = 1
        while true {
            for factor in [2, 4, 6] where factor * step >= highest { return factor * step }
            step *= 10
            if step >= highest { return step }
        }
    }

    private static func shortLabel(of bar: UsageReport.Bar, _ report: UsageReport) -> String {
        let local = report.zone.local(at: bar.start)
        return report.range == .hours ? local.time : report.range == .days ? local.date : local.yearMonth
    }
}
