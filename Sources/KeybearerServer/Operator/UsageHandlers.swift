import Keybearer

/// The operator API's counts of requests.
struct UsageHandlers: Sendable {
    let usage: UsageService
    let writes: WriteService

    /// `GET /operator/v1/users/{user}/usage`
    @Sendable func ofUser(_ request: OperatorRequest) async throws -> Success<UsageJSON> {
        let query = try request.query(Endpoint.Parameter.usage)
        let (range, zone) = (try usage.range(named: query["range"]), try usage.zone(named: query["timeZone"]))
        let id = try await writes.existing(request.user()).user.id
        return Success(UsageJSON(try await usage.report(of: id, range: range, zone: zone)))
    }
}

extension Endpoint.Parameter {
    /// Which span of time is reported, and by whose days.
    static let usage = [
        Endpoint.Parameter(
            name: "range", place: .query, description: "24 hours, 30 days or 12 months, the present one included.",
            schema: [
                "type": "string", "enum": UsageReport.Range.allCases.map(\.rawValue),
                "default": UsageReport.Range.days.rawValue,
            ]),
        Endpoint.Parameter(
            name: "timeZone", place: .query,
            description: "In which hours, days and months begin: a name of the IANA time zone database.",
            schema: ["type": "string", "maxLength": 64, "default": ReportZone.utc.name]),
    ]
}
