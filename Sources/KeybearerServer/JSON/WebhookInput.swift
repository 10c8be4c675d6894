import Keybearer

/// What programs send about webhooks, the same by both APIs.
enum WebhookInput {
    private static let name = Endpoint.FormField(
        name: "name", description: "What people call it.", schema: NameRules.schema)
    private static let url = Endpoint.FormField(
        name: "url", description: "Where it is: https, with a host whose addresses are public.",
        schema: ["type": "string", "maxLength": WebhookURL.mostBytes, "pattern": "^https?://"])
    private static let events = Endpoint.FormField(
        name: "events", description: "The names of the events that it gets, or `*` alone for all.",
        schema: [
            "type": "array", "minItems": 1, "maxItems": EventSelection.mostNames, "items": EventName.choiceSchema,
        ])
    private static let enabled = Endpoint.FormField(
        name: "enabled", description: "Whether it gets messages. Enabling forgets earlier failures.",
        schema: Bool.schema)
    private static let required = [name, url, events].map { field in
        var field = field
        field.isRequired = true
        return field
    }

    /// Of a new one by the API: in which workspace.
    static let newMembers =
        required + [
            Endpoint.FormField(
                name: "workspaceId", isRequired: true, description: "Whose it is.", schema: WorkspaceID.schema)
        ]
    /// Of a new one by the operator API.
    static let newOperatorMembers =
        required + [
            Endpoint.FormField(
                name: "workspace", description: "Whose it is; null, or left out, for one of the operator's.",
                schema: ["anyOf": [WorkspaceID.referenceSchema, ["type": "null"]] as [Schema]])
        ]
    static let patchMembers = [name, url, events, enabled]
    static let rotationMembers = [
        Endpoint.FormField(
            name: "overlapSeconds",
            description: "For how long the old secret signs as well; a day where it is left out.",
            schema: [
                "type": "integer", "minimum": 0,
                "maximum": Int(WebhookSecrets.longestOverlap.secondsRoundedUp),
            ])
    ]
    static let replayMembers = [
        Endpoint.FormField(
            name: "since", isRequired: true, description: "From when on messages were queued.",
            schema: Timestamp.schema),
        Endpoint.FormField(
            name: "until", isRequired: true, description: "Before when they were queued.", schema: Timestamp.schema),
    ]

    /// Which deliveries are listed.
    static let filters =
        [
            Endpoint.Parameter(
                name: "event", place: .query, description: "Of this event.",
                schema: EventName.schema),
            Endpoint.Parameter(
                name: "state", place: .query, description: "In this state.",
                schema: ["type": "string", "enum": WebhookDelivery.State.allCases.map(\.rawValue)]),
        ] + Endpoint.Parameter.cursor

    /// Name, URL, events and whether it is enabled.
    static func endpoint(_ json: inout JSONInput) -> WebhookService.Input {
        WebhookService.Input(
            name: json.text("name"), url: json.text("url"), events: json.texts("events"),
            isEnabled: json.flag("enabled"))
    }

    /// For how long the old secret signs as well.
    static func overlap(_ json: inout JSONInput) -> Duration {
        let most = Int(WebhookSecrets.longestOverlap.secondsRoundedUp)
        return json.number("overlapSeconds", in: 0...most).map { .seconds($0) } ?? WebhookSecrets.usualOverlap
    }

    /// What was missed in a span of time.
    static func replay(_ json: inout JSONInput) -> WebhookResend.Which? {
        guard let since = json.time("since"), let until = json.time("until") else {
            json.reportIfAlone("since", "It must be a time such as 2026-01-31T12:00:00Z.")
            return nil
        }
        return .missed(since: since, until: until)
    }

    /// The deliveries that a query asks for.
    static func filter(
        _ query: [String: String], of id: WebhookEndpointID
    ) throws(KeybearerError) -> DeliveryFilter {
        // One more tells whether there is more.
        var filter = DeliveryFilter(endpointID: id, limit: try query.number("limit", default: 100, upTo: 1_000) + 1)
        if let text = query["event"] {
            guard let name = EventName(parsing: text) else {
                throw KeybearerError(.badRequest, "event must be the name of an event, such as invoice.paid.")
            }
            filter.event = name
        }
        filter.state = try query.word("state", WebhookDelivery.State.self)
        if let cursor = query["cursor"] {
            let place = try ListPlace(cursor: cursor)
            filter.after = (place.createdAt, WebhookMessageID(rawValue: place.id))
        }
        return filter
    }

    /// A part of the list.
    static func page(_ found: [WebhookDelivery], _ filter: DeliveryFilter) -> CursorPage<DeliveryJSON> {
        let limit = filter.limit - 1
        let shown = found.prefix(limit)
        let next =
            found.count > limit
            ? shown.last.map { ListPlace(createdAt: $0.createdAt, id: $0.messageID.rawValue).cursor } : nil
        return CursorPage(shown.map { DeliveryJSON($0) }, limit: limit, next: next)
    }

    /// The webhook that a path names.
    static func endpointID(_ context: RequestContext) throws(KeybearerError) -> WebhookEndpointID {
        guard let id = WebhookEndpointID(parsing: context.parameters["webhookID"] ?? "") else {
            throw KeybearerError.noSuchWebhook
        }
        return id
    }

    /// The message that a path names.
    static func messageID(_ context: RequestContext) throws(KeybearerError) -> WebhookMessageID {
        guard let id = WebhookMessageID(parsing: context.parameters["messageID"] ?? "") else {
            throw KeybearerError.noSuchDelivery
        }
        return id
    }
}

extension EventName {
    static let schema: Schema = [
        "type": "string", "maxLength": mostBytes, "pattern": #"^[a-z0-9_-]+(\.[a-z0-9_-]+)*$"#,
    ]
    /// A name, or `*` alone.
    static let choiceSchema: Schema = [
        "type": "string", "maxLength": mostBytes, "pattern": #"^(\*|[a-z0-9_-]+(\.[a-z0-9_-]+)*)$"#,
    ]
}
