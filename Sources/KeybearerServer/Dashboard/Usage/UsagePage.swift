import Keybearer

/// The tab "Usage" of "API & Webhooks": `GET /workspaces/{workspaceID}/api-webhooks/usage`.
struct UsagePage: Page {
    static let template = Template.usage

    /// What the tab shows.
    enum Content: Sendable {
        /// The counts.
        case open(UsagePanel)
        /// The plan, as people call it, that lacks the feature.
        case locked(String)
        /// The counts could not be read; the sentence says why.
        case unavailable(String)
    }

    /// What surrounds the page.
    let shell: DashboardShell
    /// The workspace in the path, as its id's characters.
    let workspaceID: String
    /// Where the page of the key is whose counts these are.
    let keyPath: String
    /// Whose counts they are, where they are not the reader's own.
    let serviceAccount: ServiceAccountHeading?
    /// What is wrong with what was asked for.
    let notice: Notice?
    /// What the tab shows.
    let content: Content

    /// Puts the page together.
    ///
    /// - Parameter keyPath: nil for the reader's own counts.
    init(
        shell: DashboardShell, workspaceID: String, keyPath: String? = nil,
        serviceAccount: ServiceAccountHeading? = nil, notice: Notice?, content: Content
    ) {
        self.shell = shell
        self.workspaceID = workspaceID
        self.keyPath = keyPath ?? KeySubject.path(of: nil, in: WorkspaceID(rawValue: workspaceID))
        self.serviceAccount = serviceAccount
        self.notice = notice
        self.content = content
    }
}

/// The counts of an account over a range.
struct UsagePanel: Sendable, Equatable {
    /// A range to choose.
    struct RangeChoice: Sendable, Equatable {
        let value: String
        let text: String
        let isCurrent: Bool
    }

    /// A zone to choose.
    struct ZoneChoice: Sendable, Equatable {
        let name: String
        let isCurrent: Bool
    }

    /// One line of the table.
    struct Row: Sendable, Equatable {
        let label: String
        let isPartial: Bool
        let admitted: String
        let featureLocked: String
        let notAMember: String
        let rateLimited: String
        let addressNotAllowed: String
    }

    /// In the order in which they are shown.
    let ranges: [RangeChoice]
    /// All that the server knows; where the current one is a former name, that as well.
    let zones: [ZoneChoice]
    /// The current range, for forms and links.
    let rangeValue: String
    /// The current range in words: `30 days`.
    let rangeText: String
    /// The current zone's name.
    let zoneName: String
    /// The same, escaped for a query.
    let zoneInQuery: String
    /// What a bar is: `Hour`, `Day`, `Month`.
    let unit: String
    /// Whether no request was made at all.
    let isEmpty: Bool
    /// All bars together.
    let admitted: String
    /// All bars together, whatever the reason.
    let refused: String
    /// How near the account is to its rate limit; nil where there is nothing to warn of.
    let warning: QuotaWarning?
    let chart: UsageChart
    let rows: [Row]
    let total: Row

    init(_ report: UsageReport, warning: QuotaWarning? = nil) {
        self.warning = warning
        let zone = report.zone
        ranges = UsageReport.Range.allCases.map {
            RangeChoice(value: $0.rawValue, text: Self.words($0), isCurrent: $0 == report.range)
        }
        let names = ReportZone.names.contains(zone.name) ? ReportZone.names : [zone.name] + ReportZone.names
        zones = names.map { ZoneChoice(name: $0, isCurrent: $0 == zone.name) }
        (rangeValue, rangeText, zoneName) = (report.range.rawValue, Self.words(report.range), zone.name)
        zoneInQuery = DashboardResponder.escape(zone.name)
        unit =
            switch report.range {
            case .hours: "Hour"
            case .days: "Day"
            case .months: "Month"
            }
        isEmpty = report.admitted + report.refused == 0
        (admitted, refused) = (QuotaMeter.grouped(report.admitted), QuotaMeter.grouped(report.refused))
        chart = UsageChart(report)
        rows = report.bars.map { bar in
            Self.row(Self.label(of: bar, report), isPartial: bar.isPartial, bar.count)
        }
        total = Self.row("Total", isPartial: false, report.total)
    }

    private static func row(_ label: String, isPartial: Bool, _ count: (UsageOutcome) -> Int) -> Row {
        func text(_ outcome: UsageOutcome) -> String { QuotaMeter.grouped(count(outcome)) }
        return Row(
            label: label, isPartial: isPartial, admitted: text(.admitted), featureLocked: text(.featureLocked),
            notAMember: text(.notAMember), rateLimited: text(.rateLimited),
            addressNotAllowed: text(.addressNotAllowed))
    }

    static func words(_ range: UsageReport.Range) -> String {
        switch range {
        case .hours: "24 hours"
        case .days: "30 days"
        case .months: "12 months"
        }
    }

    /// When a bar began, by the zone's clocks: two hours of one name differ by their offset.
    static func label(of bar: UsageReport.Bar, _ report: UsageReport) -> String {
        let local = report.zone.local(at: bar.start)
        switch report.range {
        case .hours: return "\(local.date) \(local.time) \(local.offset)"
        case .days: return local.date
        case .months: return local.yearMonth
        }
    }
}
