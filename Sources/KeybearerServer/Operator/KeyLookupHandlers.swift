import Keybearer

/// The operator API's look-ups: whose a key is, and what was done.
struct KeyLookupHandlers: Sendable {
    let directory: DirectoryService
    let writes: WriteService
    let keys: KeyService

    static let members = [
        Endpoint.FormField(name: "token", isRequired: true, description: "The key that was found.")
    ]
    static let auditFilters =
        [
            Endpoint.Parameter(
                name: "user", place: .query, description: "What was done to this account.",
                schema: UserID.referenceSchema),
            Endpoint.Parameter(
                name: "order", place: .query,
                description: "`newest` first, or `oldest` first by position: then nextCursor is always there, and who "
                    + "goes on with it later misses nothing.",
                schema: ["type": "string", "enum": AuditOrder.allCases.map(\.rawValue), "default": "newest"]),
        ] + Endpoint.Parameter.cursor

    private enum AuditOrder: String, CaseIterable {
        case newest
        case oldest
    }

    /// `POST /operator/v1/keys/lookup`: no request is counted, and "Last used" stays as it is.
    @Sendable func lookUp(_ request: OperatorRequest) async throws -> Success<KeyOwnerJSON> {
        var input = try request.input(Self.members)
        let token = input.text("token")
        try input.finish()
        let owner = try await directory.owner(of: token ?? "")
        return Success(KeyOwnerJSON(owner) { keys.withLatestUse($0.key, of: $0.user.id) })
    }

    /// `GET /operator/v1/audit`
    @Sendable func audit(_ request: OperatorRequest) async throws -> CursorPage<AuditEventJSON> {
        let query = try request.query(Self.auditFilters)
        let limit = try query.number("limit", default: 100, upTo: 1_000)
        var userID: UserID?
        if let text = query["user"] {
            guard let reference = Reference<UserID>(text) else {
                throw KeybearerError(.badRequest, "user must be usr_… or ext:….")
            }
            // An account that is gone has events still.
            if case .id(let id) = reference {
                userID = id
            } else {
                userID = try await writes.existing(reference).user.id
            }
        }
        if try query.word("order", AuditOrder.self) == .oldest {
            let part = try await directory.followAuditEvents(of: userID, cursor: query["cursor"], limit: limit)
            return CursorPage(
                part.entries.map { AuditEventJSON($0) }, limit: limit, next: part.nextCursor, hasMore: part.hasMore)
        }
        let page = try await directory.auditEvents(of: userID, cursor: query["cursor"], limit: limit)
        return CursorPage(page.entries.map { AuditEventJSON($0) }, limit: limit, next: page.nextCursor)
    }
}
