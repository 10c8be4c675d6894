import HTTPTypes
import Keybearer

/// The operator API's workspaces, members and plans.
struct WorkspaceHandlers: Sendable {
    let writes: WriteService
    let directory: DirectoryService
    let workspaces: WorkspaceService

    private static let name = Endpoint.FormField(
        name: "name", isRequired: true, description: "What people call the workspace.", schema: NameRules.schema)
    private static let externalID = Endpoint.FormField(
        name: "externalId", description: "What the product calls it.", schema: ExternalID.nullableSchema)
    private static let owner = Endpoint.FormField(
        name: "owner", description: "Its Owner, where it is new.", schema: UserID.referenceSchema)
    private static let plan = Endpoint.FormField(
        name: "plan", description: "Its plan, where it is new; the catalogue's first where it is left out.",
        schema: PlanID.requestSchema)
    static let newMembers = [name, externalID, required(owner), plan]
    static let putMembers = [name, externalID, owner, plan]
    static let patchMembers = [optional(name), externalID]
    static let roleMembers = [
        Endpoint.FormField(
            name: "role", isRequired: true, description: "The member's role.", schema: Role.schema)
    ]
    static let catalogueMembers = [
        Endpoint.FormField(
            name: "name", isRequired: true, description: "What people call the plan.", schema: NameRules.schema),
        Endpoint.FormField(
            name: "features", isRequired: true, description: "What it includes.", schema: Feature.listSchema),
        Endpoint.FormField(
            name: "hourlyLimit", isRequired: true, description: "Requests in any 60 minutes.",
            schema: ["type": "integer", "minimum": 1, "maximum": 1_000_000_000]),
        Endpoint.FormField(
            name: "position", isRequired: true, description: "Its place in the catalogue.",
            schema: ["type": "integer", "minimum": -1_000_000, "maximum": 1_000_000]),
        Endpoint.FormField(
            name: "billingURL", description: "Where an Owner goes to move to it.",
            schema: BillingURL.nullableSchema),
    ]
    static let filters =
        [
            Endpoint.Parameter(
                name: "externalId", place: .query, description: "The product's id.", schema: ExternalID.schema),
            Endpoint.Parameter(
                name: "user", place: .query, description: "Workspaces of this member.",
                schema: UserID.referenceSchema),
            Endpoint.Parameter(name: "plan", place: .query, description: "On this plan.", schema: String.schema),
            Endpoint.Parameter(
                name: "status", place: .query, description: "Whether it is suspended.",
                schema: ["type": "string", "enum": ["active", "suspended"]]),
        ] + Endpoint.Parameter.cursorPaging

    private static func required(_ field: Endpoint.FormField) -> Endpoint.FormField {
        var field = field
        field.isRequired = true
        return field
    }

    private static func optional(_ field: Endpoint.FormField) -> Endpoint.FormField {
        var field = field
        field.isRequired = false
        return field
    }

    private enum Status: String, CaseIterable {
        case active, suspended
    }

    /// `GET /operator/v1/workspaces`
    @Sendable func list(_ request: OperatorRequest) async throws -> CursorPage<WorkspaceRecordJSON> {
        let query = try request.query(Self.filters)
        let limit = try query.number("limit", default: 100, upTo: 1_000)
        var filter = WorkspaceFilter()
        if let text = query["externalId"] {
            filter.externalID = ExternalID(parsing: text)
            guard filter.externalID != nil else {
                throw KeybearerError(.badRequest, "externalId: \(ExternalID.rule)")
            }
        }
        filter.createdAfter = try query.time("createdAfter")
        filter.updatedAfter = try query.time("updatedAfter")
        filter.planID = query["plan"].map(PlanID.init(rawValue:))
        filter.isSuspended = try query.word("status", Status.self).map { $0 == .suspended }
        if let text = query["user"] {
            guard let reference = Reference<UserID>(text) else {
                throw KeybearerError(.badRequest, "user must be usr_… or ext:….")
            }
            guard let account = try await writes.account(reference) else {
                return CursorPage([], limit: limit, next: nil)
            }
            filter.memberID = account.user.id
        }
        let page = try await directory.workspaces(matching: filter, cursor: query["cursor"], limit: limit)
        return CursorPage(
            page.entries.map { WorkspaceRecordJSON($0.workspace, plan: $0.plan, members: $0.memberCount) },
            limit: limit, next: page.nextCursor)
    }

    /// `GET /operator/v1/workspaces/{workspace}`
    @Sendable func get(_ request: OperatorRequest) async throws -> Success<WorkspaceRecordJSON> {
        let (workspace, plan) = try await directory.workspace(request.workspace())
        return Success(WorkspaceRecordJSON(workspace, plan: plan))
    }

    /// `POST /operator/v1/workspaces`
    @Sendable func create(_ request: OperatorRequest) async throws -> OperatorWrite<Success<WorkspaceRecordJSON>> {
        let input = try Self.input(request, Self.newMembers)
        return present(try await writes.creating(input, request: request.idempotent(), by: request.caller))
    }

    /// `PUT /operator/v1/workspaces/{workspace}`
    @Sendable func put(_ request: OperatorRequest) async throws -> OperatorWrite<Success<WorkspaceRecordJSON>> {
        let input = try Self.input(request, Self.putMembers)
        return present(
            try await writes.putting(
                request.workspace(), input, version: request.version(), request: request.idempotent(),
                by: request.caller))
    }

    /// `PATCH /operator/v1/workspaces/{workspace}`
    @Sendable func patch(_ request: OperatorRequest) async throws -> OperatorWrite<Success<WorkspaceRecordJSON>> {
        let input = try Self.input(request, Self.patchMembers)
        return present(
            try await writes.patching(
                request.workspace(), input, version: request.version(), request: request.idempotent(),
                by: request.caller))
    }

    /// `DELETE /operator/v1/workspaces/{workspace}`
    @Sendable func delete(_ request: OperatorRequest) async throws -> OperatorWrite<NoContent> {
        try request.context.requireNoContent()
        let write = try await writes.deleting(
            request.workspace(), version: request.version(), request: request.idempotent(), by: request.caller)
        return OperatorWrite(write: write) { _ in NoContent() }
    }

    /// `POST /operator/v1/workspaces/{workspace}/suspend`
    @Sendable func suspend(_ request: OperatorRequest) async throws -> OperatorWrite<Success<WorkspaceRecordJSON>> {
        try await setSuspended(true, request)
    }

    /// `POST /operator/v1/workspaces/{workspace}/resume`
    @Sendable func resume(_ request: OperatorRequest) async throws -> OperatorWrite<Success<WorkspaceRecordJSON>> {
        try await setSuspended(false, request)
    }

    private func setSuspended(
        _ isSuspended: Bool, _ request: OperatorRequest
    ) async throws -> OperatorWrite<Success<WorkspaceRecordJSON>> {
        try request.context.requireNoContent()
        let write = try await writes.suspending(
            request.workspace(), isSuspended, request: request.idempotent(), by: request.caller)
        return present(write.ifWorkspace(has: try request.version()))
    }

    /// `GET /operator/v1/workspaces/{workspace}/members`
    @Sendable func members(_ request: OperatorRequest) async throws -> CursorPage<MemberJSON> {
        let (workspace, _) = try await directory.workspace(request.workspace())
        return try request.page(of: try await workspaces.members(of: workspace.id), by: { $0.user.id.rawValue }) {
            MemberJSON($0.user, role: $0.role)
        }
    }

    /// `PUT /operator/v1/workspaces/{workspace}/members/{user}`
    @Sendable func putMember(_ request: OperatorRequest) async throws -> OperatorWrite<NoContent> {
        var input = try request.input(Self.roleMembers)
        let text = input.text("role")
        let role = text.flatMap(Role.init(rawValue:))
        if let text, role == nil {
            input.report("role", "'\(text.prefix(40))' is none of owner, admin, member.")
        }
        try input.finish()
        let write = try await writes.puttingMember(
            request.user(), in: request.workspace(), role: role ?? .member, request: request.idempotent(),
            by: request.caller)
        return OperatorWrite(write: write.ifWorkspace(has: try request.version())) { _ in NoContent() }
    }

    /// `DELETE /operator/v1/workspaces/{workspace}/members/{user}`
    @Sendable func removeMember(_ request: OperatorRequest) async throws -> OperatorWrite<NoContent> {
        try request.context.requireNoContent()
        let write = try await writes.removingMember(
            request.user(), from: request.workspace(), request: request.idempotent(), by: request.caller)
        return OperatorWrite(write: write.ifWorkspace(has: try request.version())) { _ in NoContent() }
    }

    /// `GET /operator/v1/plans`
    @Sendable func plans(_ request: OperatorRequest) async throws -> CursorPage<PlanJSON> {
        // In the order of the catalogue: by position, which is from -1,000,000 to 1,000,000, then by id.
        let place = { (plan: Plan) in String(10_000_000 + plan.position) + "-" + plan.id.rawValue }
        return try request.page(of: try await workspaces.plans(), by: place) { PlanJSON($0) }
    }

    /// `GET /operator/v1/plans/{plan}`
    @Sendable func plan(_ request: OperatorRequest) async throws -> Success<PlanJSON> {
        let id = request.planID
        guard let plan = try await workspaces.plans().first(where: { $0.id == id }) else {
            throw KeybearerError(.notFound, "There is no such plan.")
        }
        return Success(PlanJSON(plan))
    }

    /// `PUT /operator/v1/plans/{plan}`
    @Sendable func putPlan(_ request: OperatorRequest) async throws -> OperatorWrite<Success<PlanJSON>> {
        var input = try request.input(Self.catalogueMembers)
        let features = Set((input.texts("features") ?? []).map(Feature.init(rawValue:)))
        let billingURL = try input.optionalText("billingURL").map { text throws(KeybearerError) in try BillingURL(text)
        }
        let plan = Plan(
            id: request.planID, name: input.text("name") ?? "", features: features,
            hourlyLimit: input.number("hourlyLimit", in: 1...1_000_000_000) ?? 1,
            billingURL: billingURL, position: input.number("position", in: -1_000_000...1_000_000) ?? 0)
        try input.finish()
        let write = try writes.putting(plan, request: request.idempotent(), by: request.caller)
        return OperatorWrite(write: write) { _ in Success(PlanJSON(plan)) }
    }

    /// `DELETE /operator/v1/plans/{plan}`
    @Sendable func deletePlan(_ request: OperatorRequest) async throws -> OperatorWrite<NoContent> {
        try request.context.requireNoContent()
        let write = writes.deletingPlan(request.planID, request: try request.idempotent(), by: request.caller)
        return OperatorWrite(write: write) { _ in NoContent() }
    }

    private static func input(
        _ request: OperatorRequest, _ known: [Endpoint.FormField]
    ) throws(KeybearerError) -> WorkspaceInput {
        var json = try request.input(known)
        var input = WorkspaceInput()
        input.name = json.text("name")
        input.externalID = json.externalID("externalId")
        input.planID = json.text("plan").map(PlanID.init(rawValue:))
        if let text = json.text("owner") {
            input.owner = Reference<UserID>(text)
            if input.owner == nil { json.report("owner", "It must be usr_… or ext:….") }
        }
        try json.finish()
        return input
    }

    func present(_ write: StoreWrite) -> OperatorWrite<Success<WorkspaceRecordJSON>> {
        OperatorWrite(write: write) { outcome in
            switch outcome {
            case .workspace(let workspace, let plan): return Success(WorkspaceRecordJSON(workspace, plan: plan))
            case .replayed(let id):
                let (workspace, plan) = try await directory.workspace(.id(WorkspaceID(rawValue: id)))
                return Success(WorkspaceRecordJSON(workspace, plan: plan))
            case .account, .key, .done: throw KeybearerError(.internalError, "The store failed.")
            }
        }
    }
}

extension OperatorRequest {
    fileprivate var planID: PlanID { PlanID(rawValue: context.parameters["plan"] ?? "") }
}
