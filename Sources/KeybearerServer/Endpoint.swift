import HTTPTypes
import Keybearer

/// What a program has to know of a route: what it sends, and what comes back. The types of the handler say it, so that
/// the OpenAPI document cannot say anything else.
struct Endpoint: Sendable {
    /// One line: what a request does.
    let summary: String
    let returns: ResponseContent
    let body: RequestContent
    let parameters: [Parameter]
    /// Whether it changes what an operator's program names.
    var isWrite = false
    /// Whether its body or its query names what may not be there.
    var namesOthers = false
    /// What else it can fail by.
    var otherErrors: [ErrorCode] = []

    /// Whether it looks at the version that the caller has seen.
    var takesVersion: Bool { parameters.contains { $0.name == Parameter.ifMatch.name } }

    /// Something that a request may carry beside its path and its body.
    struct Parameter: Sendable {
        /// Where it stands.
        enum Place: String, Sendable {
            case query, header
        }

        let name: String
        let place: Place
        let description: String
        let schema: Schema
    }

    /// A field of a form, or a member of a JSON object.
    struct FormField: Sendable {
        let name: String
        var isRequired = false
        let description: String
        var schema = String.schema
    }

    /// The body of a request.
    enum RequestContent: Sendable {
        /// None is read.
        case nothing
        /// None, or an empty JSON object.
        case emptyObject
        case form([FormField])
        /// One JSON object.
        case json([FormField], upTo: Int = BodyReader.objectLimit)
        /// None, or one JSON object.
        case optionalJSON([FormField])

        /// The most bytes.
        var limit: Int {
            if case .json(_, let limit) = self { limit } else { BodyReader.objectLimit }
        }

        /// Whether a request without a body is refused.
        var isRequired: Bool {
            switch self {
            case .form, .json: true
            case .nothing, .emptyObject, .optionalJSON: false
            }
        }

        /// The value of `Content-Type`.
        var mediaType: String? {
            switch self {
            case .nothing: nil
            case .emptyObject, .json, .optionalJSON: "application/json"
            case .form: "application/x-www-form-urlencoded"
            }
        }
    }

    /// Fails by these codes besides those that every request of its kind can fail by.
    var ownErrors: [ErrorCode] {
        var codes: [ErrorCode] = []
        switch body {
        case .nothing: break
        case .emptyObject, .json, .optionalJSON:
            codes += [.requestTimeout, .payloadTooLarge, .unsupportedMediaType, .validationFailed]
        case .form: codes += [.requestTimeout, .payloadTooLarge, .unsupportedMediaType]
        }
        if isWrite { codes += [.conflict, .notFound] }
        if namesOthers { codes += [.notFound] }
        // The same value made a key before.
        if parameters.contains(where: { $0.name == HeaderName.idempotencyKey.rawName }) { codes += [.conflict] }
        return codes + otherErrors
    }
}

extension Endpoint.Parameter {
    /// Which part of a list is wanted.
    static let paging = [
        Endpoint.Parameter(
            name: "page", place: .query, description: "Which page; the first is 1.",
            schema: ["type": "integer", "minimum": 1, "maximum": 1_000_000, "default": 1]),
        Endpoint.Parameter(
            name: "limit", place: .query, description: "How many on a page.",
            schema: ["type": "integer", "minimum": 1, "maximum": 100, "default": 20]),
    ]

    /// Which part of a list is wanted, where it is long.
    static let cursorPaging =
        [
            Endpoint.Parameter(
                name: "createdAfter", place: .query, description: "Made at or after this time.",
                schema: Timestamp.schema),
            Endpoint.Parameter(
                name: "updatedAfter", place: .query,
                description: "Changed at or after this time; what changed in the 60 seconds before it is listed too.",
                schema: Timestamp.schema),
        ] + cursor

    /// Which part of a list is wanted.
    static let cursor = [
        Endpoint.Parameter(
            name: "cursor", place: .query, description: "The nextCursor of the part before.", schema: String.schema),
        Endpoint.Parameter(
            name: "limit", place: .query, description: "How many at most.",
            schema: ["type": "integer", "minimum": 1, "maximum": 1_000, "default": 100]),
    ]

    static let ifMatch = Endpoint.Parameter(
        name: "If-Match", place: .header, description: "The version that is to be changed; another one is refused.",
        schema: ["type": "string", "pattern": #"^([1-9][0-9]{0,8}|"[1-9][0-9]{0,8}")$"#])

    static let idempotencyKey = Endpoint.Parameter(
        name: HeaderName.idempotencyKey.rawName, place: .header,
        description: "A second request with the same value, within 24 hours, makes no second change.",
        schema: ["type": "string", "pattern": "^[!-~]{1,255}$", "minLength": 1, "maxLength": 255])

    static let workspaceQuery = Endpoint.Parameter(
        name: "workspaceId", place: .query,
        description: "Whose. Without it, and without X-Workspace-Id: of all workspaces in which you may see webhooks.",
        schema: WorkspaceID.schema)

    static let workspaceID = Endpoint.Parameter(
        name: HeaderName.workspaceID.rawName, place: .header,
        description: "The workspace that the request is made for.", schema: WorkspaceID.schema)
}

/// What a success brings.
struct ResponseContent: Sendable {
    let status: HTTPResponse.Status
    /// The JSON of the body; nil where there is none.
    let schema: Schema?
    /// The nouns that the schema refers to.
    let nouns: [any JSONNoun.Type]
    /// A response of these types, for people: made where it is shown.
    let example: @Sendable () throws -> APIResponse
}

/// What a handler returns.
protocol ResponseValue: Sendable {
    static var content: ResponseContent { get }
    func response() throws -> APIResponse
}

/// One noun in the envelope.
struct Success<Noun: JSONNoun>: ResponseValue {
    let noun: Noun

    init(_ noun: Noun) {
        self.noun = noun
    }

    static var content: ResponseContent {
        ResponseContent(
            status: .ok, schema: Envelope.schema(of: Noun.schema), nouns: Noun.nouns,
            example: { try Self(Noun.sample).response() })
    }

    func response() throws -> APIResponse { APIResponse.json(try Envelope.success(noun)) }
}

/// A page of a list, in the envelope.
struct ListPage<Noun: JSONNoun>: ResponseValue {
    let nouns: [Noun]
    let meta: PageMeta

    static var content: ResponseContent {
        ResponseContent(
            status: .ok, schema: Envelope.schema(of: [Noun].schema, meta: PageMeta.schema),
            nouns: Noun.nouns + PageMeta.nouns,
            example: {
                let meta = PageMeta(page: 1, limit: 20, total: 1, hasMore: false)
                return try Self(nouns: [Noun.sample], meta: meta).response()
            })
    }

    func response() throws -> APIResponse { APIResponse.json(try Envelope.success(nouns, meta: meta)) }
}

/// A part of a long list, in the envelope.
struct CursorPage<Noun: JSONNoun>: ResponseValue {
    let nouns: [Noun]
    let meta: CursorMeta

    /// - Parameter hasMore: nil where there is a next cursor only if there is more.
    init(_ nouns: [Noun], limit: Int, next: String?, hasMore: Bool? = nil) {
        self.nouns = nouns
        meta = CursorMeta(limit: limit, nextCursor: Nullable(next), hasMore: hasMore ?? (next != nil))
    }

    static var content: ResponseContent {
        ResponseContent(
            status: .ok, schema: Envelope.schema(of: [Noun].schema, meta: CursorMeta.schema),
            nouns: Noun.nouns + CursorMeta.nouns,
            example: { try Self([Noun.sample], limit: 100, next: nil).response() })
    }

    func response() throws -> APIResponse { APIResponse.json(try Envelope.success(nouns, meta: meta)) }
}

/// A whole list, in the envelope.
struct PlainList<Noun: JSONNoun>: ResponseValue {
    let nouns: [Noun]

    init(_ nouns: [Noun]) {
        self.nouns = nouns
    }

    static var content: ResponseContent {
        ResponseContent(
            status: .ok, schema: Envelope.schema(of: [Noun].schema), nouns: Noun.nouns,
            example: { try Self([Noun.sample]).response() })
    }

    func response() throws -> APIResponse { APIResponse.json(try Envelope.success(nouns)) }
}

/// Nothing: the success is the answer.
struct NoContent: ResponseValue {
    static var content: ResponseContent {
        ResponseContent(status: .noContent, schema: nil, nouns: [], example: { Self().response() })
    }

    func response() -> APIResponse { APIResponse(status: .noContent, headers: [.cacheControl: "no-store"]) }
}
