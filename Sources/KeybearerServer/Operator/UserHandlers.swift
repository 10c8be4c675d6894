import HTTPTypes
import Keybearer

/// The operator API's users.
struct UserHandlers: Sendable {
    let writes: WriteService
    let directory: DirectoryService
    let keys: KeyService

    static let members = [
        Endpoint.FormField(name: "email", description: "The e-mail address.", schema: EmailAddress.schema),
        Endpoint.FormField(
            name: "emailVerified",
            description: "Whether the address is known to be the person's. True needs the scope users:identity.",
            schema: Bool.schema),
        Endpoint.FormField(name: "name", description: "What the person is called.", schema: NameRules.schema),
        Endpoint.FormField(
            name: "externalId", description: "What the product calls the person.", schema: ExternalID.nullableSchema),
    ]
    static let required = members.map { field in
        var field = field
        field.isRequired = ["email", "name"].contains(field.name)
        return field
    }
    private static let adopt = Endpoint.FormField(
        name: "adopt",
        description: "Take over an account that has the address already, or that nobody has shown to be the person's. "
            + "Needs the scope users:identity.",
        schema: Bool.schema)
    private static let key = Endpoint.FormField(
        name: "key",
        description: "A key that the user has already, for a new user: 20 to 128 characters of token68. "
            + "Needs the scope keys:import.",
        schema: [
            "type": "object", "additionalProperties": false, "required": ["import"],
            "properties": ["import": ["type": "string", "minLength": 20, "maxLength": 128] as Schema] as Schema,
        ])
    static let createMembers = required + [key]
    static let putMembers = required + [adopt, key]
    static let patchMembers = members + [adopt]
    static let deletionMembers = [
        Endpoint.FormField(
            name: "transferTo",
            description: "Who becomes Owner of the workspaces with other members whose last Owner the user is.",
            schema: UserID.referenceSchema),
        Endpoint.FormField(
            name: "deleteWorkspaces", description: "Delete these workspaces instead.", schema: Bool.schema),
    ]
    static let filters =
        [
            Endpoint.Parameter(
                name: "kind", place: .query, description: "People or service accounts; both where it is left out.",
                schema: User.Kind.schema),
            Endpoint.Parameter(name: "email", place: .query, description: "The address.", schema: String.schema),
            Endpoint.Parameter(
                name: "externalId", place: .query, description: "The product's id.", schema: ExternalID.schema),
            Endpoint.Parameter(
                name: "status", place: .query, description: "The account's status.",
                schema: ["type": "string", "enum": ["active", "disabled"]]),
            Endpoint.Parameter(
                name: "workspace", place: .query, description: "Members of this workspace.",
                schema: WorkspaceID.referenceSchema),
            Endpoint.Parameter(
                name: "plan", place: .query, description: "Members of a workspace on this plan.", schema: String.schema),
        ] + Endpoint.Parameter.cursorPaging

    /// `GET /operator/v1/users`: a part of the list, or the one user with an address or external id.
    @Sendable func list(_ request: OperatorRequest) async throws -> CursorPage<UserJSON> {
        let query = try request.query(Self.filters)
        let limit = try query.number("limit", default: 100, upTo: 1_000)
        var filter = UserFilter()
        filter.kind = try query.word("kind", User.Kind.self)
        filter.status = try query.word("status", User.Status.self)
        filter.createdAfter = try query.time("createdAfter")
        filter.updatedAfter = try query.time("updatedAfter")
        filter.planID = query["plan"].map(PlanID.init(rawValue:))
        if let text = query["workspace"] {
            guard let reference = Reference<WorkspaceID>(text) else {
                throw KeybearerError(.badRequest, "workspace must be ws_… or ext:….")
            }
            guard let id = try await writes.workspaceID(reference) else {
                return CursorPage([], limit: limit, next: nil)
            }
            filter.workspaceID = id
        }
        var externalID: ExternalID?
        if let text = query["externalId"] {
            externalID = ExternalID(parsing: text)
            guard externalID != nil else { throw KeybearerError(.badRequest, "externalId: \(ExternalID.rule)") }
        }
        let page = try await directory.users(
            matching: filter, email: query["email"], externalID: externalID, cursor: query["cursor"], limit: limit)
        return CursorPage(page.entries.map(json), limit: limit, next: page.nextCursor)
    }

    /// `GET /operator/v1/users/{user}`
    @Sendable func get(_ request: OperatorRequest) async throws -> Success<UserJSON> {
        Success(json(try await writes.existing(request.user())))
    }

    /// `POST /operator/v1/users`
    @Sendable func create(_ request: OperatorRequest) async throws -> OperatorWrite<Success<UserJSON>> {
        let input = try Self.input(request, Self.createMembers)
        return present(try await writes.creating(input, request: request.idempotent(), by: request.caller))
    }

    /// `PUT /operator/v1/users/{user}`
    @Sendable func put(_ request: OperatorRequest) async throws -> OperatorWrite<Success<UserJSON>> {
        let input = try Self.input(request, Self.putMembers)
        return present(
            try await writes.putting(
                request.user(), input, version: request.version(), request: request.idempotent(), by: request.caller))
    }

    /// `PATCH /operator/v1/users/{user}`
    @Sendable func patch(_ request: OperatorRequest) async throws -> OperatorWrite<Success<UserJSON>> {
        let input = try Self.input(request, Self.patchMembers)
        return present(
            try await writes.patching(
                request.user(), input, version: request.version(), request: request.idempotent(), by: request.caller))
    }

    /// `DELETE /operator/v1/users/{user}`
    @Sendable func delete(_ request: OperatorRequest) async throws -> OperatorWrite<NoContent> {
        var successor: Reference<UserID>?
        var deletesWorkspaces = false
        if request.hasBody {
            var input = try request.input(Self.deletionMembers)
            if let text = input.text("transferTo") {
                successor = Reference<UserID>(text)
                if successor == nil { input.report("transferTo", "It must be usr_… or ext:….") }
            }
            deletesWorkspaces = input.flag("deleteWorkspaces") ?? false
            if successor != nil, deletesWorkspaces {
                input.report("deleteWorkspaces", "Send it or transferTo, and not both.")
            }
            try input.finish()
        }
        // Somebody else becomes an Owner, or a workspace of others goes.
        if successor != nil || deletesWorkspaces { try request.caller.require(.writeWorkspaces) }
        let write = try await writes.deleting(
            request.user(), successor: successor, deletesWorkspaces: deletesWorkspaces,
            request: request.idempotent(), by: request.caller)
        return OperatorWrite(write: write.ifUser(has: try request.version())) { _ in NoContent() }
    }

    /// `GET /operator/v1/users/{user}/export`: all that is kept about a person, without secrets.
    @Sendable func export(_ request: OperatorRequest) async throws -> Success<PersonalDataJSON> {
        let id = try await writes.existing(request.user()).user.id
        // What the person did, and what was done about them.
        try request.caller.require(.readAudit)
        let data = try await directory.personalData(of: id)
        return Success(PersonalDataJSON(data, key: keys.withLatestUse(data.account.key, of: id)))
    }

    /// `POST /operator/v1/users/{user}/disable`
    @Sendable func disable(_ request: OperatorRequest) async throws -> OperatorWrite<Success<UserJSON>> {
        try await setStatus(.disabled, request)
    }

    /// `POST /operator/v1/users/{user}/enable`
    @Sendable func enable(_ request: OperatorRequest) async throws -> OperatorWrite<Success<UserJSON>> {
        try await setStatus(.active, request)
    }

    private func setStatus(
        _ status: User.Status, _ request: OperatorRequest
    ) async throws -> OperatorWrite<Success<UserJSON>> {
        try request.context.requireNoContent()
        let write = try await writes.settingStatus(
            status, of: request.user(), request: request.idempotent(), by: request.caller)
        return present(write.ifUser(has: try request.version()))
    }

    /// `POST /operator/v1/users/{user}/end-sessions`
    @Sendable func endSessions(_ request: OperatorRequest) async throws -> OperatorWrite<NoContent> {
        try request.context.requireNoContent()
        let write = try await writes.endingSessions(
            of: request.user(), request: request.idempotent(), by: request.caller)
        return OperatorWrite(write: write) { _ in NoContent() }
    }

    /// `POST /operator/v1/users/{user}/second-factor/reset`
    @Sendable func resetSecondFactor(_ request: OperatorRequest) async throws -> OperatorWrite<NoContent> {
        try request.context.requireNoContent()
        let write = try await writes.resettingSecondFactor(
            of: request.user(), request: request.idempotent(), by: request.caller)
        return OperatorWrite(write: write) { _ in NoContent() }
    }

    /// `GET /operator/v1/users/{user}/key`: the key's record, without the key.
    @Sendable func key(_ request: OperatorRequest) async throws -> Success<KeyJSON> {
        let account = try await writes.existing(request.user())
        return Success(KeyJSON(keys.withLatestUse(account.key, of: account.user.id)))
    }

    /// `GET /operator/v1/users/{user}/key/history`
    @Sendable func keyHistory(_ request: OperatorRequest) async throws -> Success<KeyHistoryJSON> {
        Success(KeyHistoryJSON(try await keys.history(of: try await writes.existing(request.user()))))
    }

    /// `POST /operator/v1/users/{user}/key/reveal`: the key itself. Audited.
    @Sendable func reveal(_ request: OperatorRequest) async throws -> Success<KeyJSON> {
        try request.context.requireNoContent()
        let account = try await writes.existing(request.user())
        let (secret, record) = try await keys.revealWithRecord(account.user.id, by: request.caller.authority)
        return Success(KeyJSON(record, secret: secret))
    }

    /// `POST /operator/v1/users/{user}/key/regenerate`: the new key is in the answer for whoever may see keys.
    @Sendable func regenerate(_ request: OperatorRequest) async throws -> OperatorWrite<Success<KeyJSON>> {
        try request.context.requireNoContent()
        let made = try await writes.regenerating(
            request.user(), request: request.idempotent(), by: request.caller)
        let (keys, caller) = (keys, request.caller)
        return OperatorWrite(write: made.write.ifUser(has: try request.version())) { outcome in
            guard case .key(let outcome) = outcome else { throw KeybearerError(.internalError, "The store failed.") }
            let (secret, record) = try await keys.result(
                outcome, of: made.replacement, secret: made.secret, by: caller.authority)
            return Success(KeyJSON(record, secret: caller.has(.revealKeys) ? secret : nil))
        }
    }

    private static func input(
        _ request: OperatorRequest, _ known: [Endpoint.FormField]
    ) throws(KeybearerError) -> UserInput {
        var json = try request.input(known)
        var input = UserInput()
        input.email = json.text("email")
        input.isEmailVerified = json.flag("emailVerified")
        input.name = json.text("name")
        input.externalID = json.externalID("externalId")
        input.adopts = json.flag("adopt") ?? false
        input.keyToImport = json.keyToImport("key")
        try json.finish()
        return input
    }

    func present(_ write: StoreWrite) -> OperatorWrite<Success<UserJSON>> {
        OperatorWrite(write: write) { outcome in
            switch outcome {
            case .account(let account): return Success(json(account))
            case .replayed(let id):
                return Success(json(try await writes.existing(.id(UserID(rawValue: id)))))
            case .workspace, .key, .done: throw KeybearerError(.internalError, "The store failed.")
            }
        }
    }

    func json(_ account: Account) -> UserJSON {
        UserJSON(account, key: keys.withLatestUse(account.key, of: account.user.id))
    }
}
