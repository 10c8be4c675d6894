import HTTPTypes
import Keybearer

/// The operator API's limits, plans of workspaces, and fresh hours.
struct LimitHandlers: Sendable {
    let writes: WriteService
    let users: UserHandlers
    let workspaces: WorkspaceHandlers

    private static let endsAt = Endpoint.FormField(
        name: "endsAt", description: "When it ends by itself; null or left out for never.",
        schema: Timestamp.nullableSchema)
    static let limitMembers = [
        Endpoint.FormField(
            name: "hourlyLimit", isRequired: true,
            description: "Requests in any 60 minutes; 0 lets none pass, null is the plan's limit again.",
            schema: ["type": ["integer", "null"], "minimum": 0, "maximum": 1_000_000_000]),
        endsAt,
    ]
    static let networkMembers = [
        Endpoint.FormField(
            name: "networks", isRequired: true,
            description: "The networks from which the key may be used, such as 203.0.113.0/24; null for everywhere.",
            schema: [
                "type": ["array", "null"], "minItems": 1, "maxItems": AllowedNetworks.most,
                "items": ["type": "string", "maxLength": 64] as Schema,
            ])
    ]
    static let planMembers = [
        Endpoint.FormField(
            name: "plan", isRequired: true, description: "The plan's id.", schema: PlanID.requestSchema),
        endsAt,
        Endpoint.FormField(
            name: "nextPlan",
            description: "The plan that the workspace is on then; null or left out for the catalogue's first.",
            schema: PlanID.nullableRequestSchema),
    ]

    /// `PUT /operator/v1/users/{user}/limit`
    @Sendable func setUserLimit(_ request: OperatorRequest) async throws -> OperatorWrite<Success<UserJSON>> {
        let limit = try Self.limit(request)
        return users.present(
            try await writes.settingLimit(
                limit, of: request.user(), version: request.version(), request: request.idempotent(),
                by: request.caller))
    }

    /// `PUT /operator/v1/users/{user}/networks`
    @Sendable func setNetworks(_ request: OperatorRequest) async throws -> OperatorWrite<Success<UserJSON>> {
        var input = try request.input(Self.networkMembers)
        let texts = input.optionalTexts("networks")
        try input.finish()
        return users.present(
            try await writes.settingAllowedNetworks(
                try texts.map { texts throws(KeybearerError) in try AllowedNetworks(parsing: texts) },
                of: request.user(), version: request.version(), request: request.idempotent(), by: request.caller))
    }

    /// `PUT /operator/v1/workspaces/{workspace}/limit`
    @Sendable func setWorkspaceLimit(
        _ request: OperatorRequest
    ) async throws -> OperatorWrite<Success<WorkspaceRecordJSON>> {
        let limit = try Self.limit(request)
        return workspaces.present(
            try await writes.settingLimit(
                limit, of: request.workspace(), version: request.version(), request: request.idempotent(),
                by: request.caller))
    }

    /// `PUT /operator/v1/workspaces/{workspace}/plan`
    @Sendable func setPlan(_ request: OperatorRequest) async throws -> OperatorWrite<Success<WorkspaceRecordJSON>> {
        var input = try request.input(Self.planMembers)
        let plan = PlanID(rawValue: input.text("plan") ?? "")
        let endsAt = input.time("endsAt")
        let next = input.optionalText("nextPlan").map(PlanID.init(rawValue:))
        try input.finish()
        return workspaces.present(
            try await writes.moving(
                request.workspace(), to: plan, endsAt: endsAt, next: next, version: request.version(),
                request: request.idempotent(), by: request.caller))
    }

    /// `POST /operator/v1/users/{user}/quota/reset`
    @Sendable func resetQuota(_ request: OperatorRequest) async throws -> OperatorWrite<NoContent> {
        try request.context.requireNoContent()
        let write = try await writes.resettingWindow(
            of: request.user(), request: request.idempotent(), by: request.caller)
        return OperatorWrite(write: write) { _ in NoContent() }
    }

    private static func limit(_ request: OperatorRequest) throws(KeybearerError) -> LimitOverride? {
        var input = try request.input(limitMembers)
        let limit = input.optionalNumber("hourlyLimit", in: LimitOverride.range)
        let endsAt = input.time("endsAt")
        if limit == nil, endsAt != nil { input.report("endsAt", "The plan's limit has no end.") }
        try input.finish()
        return limit.map { LimitOverride(hourlyLimit: $0, endsAt: endsAt) }
    }
}
