import Keybearer

/// The operator API's service accounts: made and listed in their workspace. Everything else goes by the routes of users.
struct ServiceAccountHandlers: Sendable {
    let writes: WriteService
    let accounts: ServiceAccountService
    let users: UserHandlers

    static let members = [
        Endpoint.FormField(
            name: "name", isRequired: true, description: "What it is called, such as Production.",
            schema: NameRules.schema),
        Endpoint.FormField(
            name: "externalId", description: "What the product calls it.", schema: ExternalID.nullableSchema),
    ]

    /// `GET /operator/v1/workspaces/{workspace}/service-accounts`
    @Sendable func list(_ request: OperatorRequest) async throws -> CursorPage<UserJSON> {
        let id = try await writes.existingID(request.workspace())
        let found = try await accounts.list(of: id)
        // Whether it is empty or not there, only the workspace itself says.
        if found.isEmpty { _ = try await users.directory.workspace(.id(id)) }
        return try request.page(of: found, by: { $0.user.id.rawValue }, users.json)
    }

    /// `POST /operator/v1/workspaces/{workspace}/service-accounts`
    @Sendable func create(_ request: OperatorRequest) async throws -> OperatorWrite<Success<UserJSON>> {
        var json = try request.input(Self.members)
        let name = json.text("name") ?? ""
        let externalID = json.externalID("externalId").applied(to: nil)
        try json.finish()
        return users.present(
            try await writes.creatingServiceAccount(
                name: name, externalID: externalID, in: request.workspace(), request: request.idempotent(),
                by: request.caller))
    }
}
