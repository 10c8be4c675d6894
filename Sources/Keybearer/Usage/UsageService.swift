/// Reports what requests came to.
public struct UsageService: Sendable {
    private let context: ServiceContext

    init(context: ServiceContext) {
        self.context = context
    }

    /// The requests of an account, with all its keys. Requests of the last second may be missing.
    public func report(
        of userID: UserID, range: UsageReport.Range, zone: ReportZone
    ) async throws -> UsageReport {
        let now = context.clocks.wall()
        let times = UsageReport.times(of: range, in: zone, at: now)
        let sums = try await context.store.usage(of: userID, between: times)
        return UsageReport(range, in: zone, times: times, sums: sums, now: now)
    }

    /// The zone of a name that somebody sent; UTC where none was.
    ///
    /// - Throws: `BAD_REQUEST` where there is no such zone.
    public func zone(named name: String?) throws(KeybearerError) -> ReportZone {
        guard let name else { return .utc }
        guard let zone = ReportZone(name) else {
            throw KeybearerError(
                .badRequest,
                "timeZone must be a name of the IANA time zone database that this server knows, such as Europe/Berlin.")
        }
        return zone
    }

    /// The range of a name that somebody sent; the default where none was.
    ///
    /// - Throws: `BAD_REQUEST` where there is no such range.
    public func range(
        named name: String?, default fallback: UsageReport.Range = .days
    ) throws(KeybearerError) -> UsageReport.Range {
        guard let name else { return fallback }
        guard let range = UsageReport.Range(rawValue: name) else {
            let names = UsageReport.Range.allCases.map(\.rawValue).joined(separator: ", ")
            throw KeybearerError(.badRequest, "range must be one of \(names).")
        }
        return range
    }
}
