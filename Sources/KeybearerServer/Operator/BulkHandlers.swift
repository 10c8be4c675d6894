import HTTPTypes
import Keybearer

/// The operator API's bulk requests: one action on every account of a filter.
struct BulkHandlers: Sendable {
    let writes: WriteService

    static let filterMembers = [
        Endpoint.FormField(
            name: "plan", description: "Members of a workspace on this plan.", schema: PlanID.requestSchema),
        Endpoint.FormField(
            name: "createdBefore", description: "Made before this time.", schema: Timestamp.schema),
        Endpoint.FormField(
            name: "sealedUnder", description: "Whose key is sealed under this master key.",
            schema: MasterKeyID.schema),
        Endpoint.FormField(
            name: "workspace", description: "Members of this workspace.", schema: WorkspaceID.referenceSchema),
    ]
    static let members = [
        Endpoint.FormField(
            name: "filter", isRequired: true, description: "Which accounts. Something must be named.",
            schema: [
                "type": "object", "additionalProperties": false, "minProperties": 1,
                "properties": Dictionary(
                    uniqueKeysWithValues: filterMembers.map { field in
                        (field.name, field.schema.merging(["description": field.description]) { $1 })
                    }) as Schema,
            ]),
        Endpoint.FormField(
            name: "dryRun", isRequired: true, description: "Only say how many accounts it is.", schema: Bool.schema),
        Endpoint.FormField(
            name: "cursor", description: "The nextCursor of the request before, which left some.",
            schema: String.schema),
    ]

    /// `POST /operator/v1/bulk/regenerate`: no answer holds a key.
    @Sendable func regenerate(_ request: OperatorRequest) async throws -> Success<BulkJSON> {
        try await perform(.regenerate, request)
    }

    /// `POST /operator/v1/bulk/disable`
    @Sendable func disable(_ request: OperatorRequest) async throws -> Success<BulkJSON> {
        try await perform(.disable, request)
    }

    /// `POST /operator/v1/bulk/end-sessions`
    @Sendable func endSessions(_ request: OperatorRequest) async throws -> Success<BulkJSON> {
        try await perform(.endSessions, request)
    }

    private func perform(_ action: BulkAction, _ request: OperatorRequest) async throws -> Success<BulkJSON> {
        var input = try request.input(Self.members)
        let isDryRun = input.flag("dryRun") ?? false
        let cursor = input.text("cursor")
        var filter = BulkFilter()
        if var inner = input.object("filter", Self.filterMembers) {
            try await read(&inner, into: &filter)
            input.take(inner, as: "filter")
        }
        if filter.isEmpty {
            input.reportIfAlone("filter", "Name at least one of plan, createdBefore, sealedUnder, workspace.")
        }
        try input.finish()
        // One that is malformed is refused, whatever else is asked for.
        _ = try request.idempotent()
        let key = try request.idempotencyKey()
        if isDryRun { return Success(BulkJSON(dryRun: try await writes.count(action, filter))) }
        return Success(
            BulkJSON(
                try await writes.perform(
                    action, on: filter, cursor: cursor, idempotencyKey: key, by: request.caller)))
    }

    private func read(_ input: inout JSONInput, into filter: inout BulkFilter) async throws {
        filter.planID = input.text("plan").map(PlanID.init(rawValue:))
        if let text = input.text("createdBefore") {
            filter.createdBefore = Timestamp(rfc3339: text)
            if filter.createdBefore == nil {
                input.report("createdBefore", "It must be a time such as 2026-01-31T12:00:00Z.")
            }
        }
        if let text = input.text("sealedUnder") {
            filter.sealedUnder = MasterKeyID(parsing: text)
            if filter.sealedUnder == nil { input.report("sealedUnder", "It must be a master key's id (mk_…).") }
        }
        if let text = input.text("workspace") {
            if let reference = Reference<WorkspaceID>(text) {
                filter.workspaceID = try await writes.workspaceID(reference)
                if filter.workspaceID == nil { input.report("workspace", "There is no such workspace.") }
            } else {
                input.report("workspace", "It must be ws_… or ext:….")
            }
        }
    }
}

/// What a bulk request did, or would do.
struct BulkJSON: JSONNoun {
    let dryRun: Bool
    /// To how many accounts it was done, or would be.
    let count: Int
    /// To how many it had been done before, with the same Idempotency-Key.
    let repeated: Int
    /// How many other requests changed at the same moment: another request does them.
    let skipped: Int
    let hasMore: Bool
    let nextCursor: Nullable<String>

    init(_ outcome: BulkOutcome) {
        (dryRun, count, repeated, skipped) = (false, outcome.count, outcome.repeated, outcome.skipped)
        (hasMore, nextCursor) = (outcome.nextCursor != nil, Nullable(outcome.nextCursor))
    }

    init(dryRun count: Int) {
        (dryRun, self.count, repeated, skipped) = (true, count, 0, 0)
        (hasMore, nextCursor) = (false, Nullable(nil))
    }

    static let noun = "BulkResult"
    static let sample = BulkJSON(dryRun: 0)
}
