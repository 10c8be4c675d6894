import Keybearer

/// The operator API's portal links.
struct PortalLinkHandlers: Sendable {
    let links: PortalLinkService
    let place: Place
    /// Whether the address that the program used is also where browsers reach the dashboard.
    var isOnPublicListener = true

    static let members = [
        Endpoint.FormField(
            name: "user", isRequired: true, description: "Whom it signs in.", schema: UserID.referenceSchema),
        Endpoint.FormField(
            name: "section", description: "What it opens.",
            schema: ["type": "string", "enum": PortalSection.allCases.map(\.rawValue)]),
        Endpoint.FormField(
            name: "workspace", description: "The one workspace that it opens; any of the user's where it is left out.",
            schema: WorkspaceID.referenceSchema),
        Endpoint.FormField(
            name: "returnUrl",
            description: "Where the pages lead back. One of the setting portal-return-urls must hold it.",
            schema: ["type": "string", "maxLength": 2_048, "pattern": BillingURL.pattern]),
        Endpoint.FormField(
            name: "expiresIn", description: "For how many seconds it can be used.",
            schema: [
                "type": "integer", "minimum": 1, "maximum": Int(PortalLink.longestLife.secondsRoundedUp),
                "default": Int(PortalLink.usualLife.secondsRoundedUp),
            ]),
    ]

    /// `POST /operator/v1/portal-links`
    @Sendable func create(_ request: OperatorRequest) async throws -> Success<PortalLinkJSON> {
        var input = try request.input(Self.members)
        let user = input.text("user").flatMap { Reference<UserID>($0) }
        if user == nil { input.report("user", "It must be usr_… or ext:….") }
        var workspace: Reference<WorkspaceID>?
        if let text = input.text("workspace") {
            workspace = Reference<WorkspaceID>(text)
            if workspace == nil { input.report("workspace", "It must be ws_… or ext:….") }
        }
        var section: PortalSection? = .apiKey
        if let text = input.text("section") { section = PortalSection(rawValue: text) }
        if section == nil {
            input.report("section", "Use one of: \(PortalSection.allCases.map(\.rawValue).joined(separator: ", ")).")
        }
        let returnURL = input.text("returnUrl")
        let seconds = input.number("expiresIn", in: 1...Int(PortalLink.longestLife.secondsRoundedUp))
        try input.finish()
        guard place.publicURL != nil || isOnPublicListener else {
            throw KeybearerError(
                .conflict,
                "Beside operator-address, portal links need the setting public-url: where browsers find the page.")
        }
        guard let user, let section else { throw KeybearerError(.internalError, "Something went wrong.") }
        let (link, code) = try await links.create(
            for: user, section: section, workspace: workspace, returnURL: returnURL,
            life: seconds.map { .seconds($0) } ?? PortalLink.usualLife, request: request.idempotent(),
            by: request.caller)
        return Success(
            PortalLinkJSON(
                id: link.id.rawValue,
                url: place.url("\(Routes.portal)?code=\(code.characters)", for: request.context),
                expiresAt: link.expiresAt))
    }
}

/// A portal link, in the one answer that shows it.
struct PortalLinkJSON: JSONNoun {
    let id: String
    let url: String
    let expiresAt: Timestamp

    static let noun = "PortalLink"
    static let sample = PortalLinkJSON(id: "ptl_a1", url: "https://", expiresAt: Timestamp(millisecondsSinceEpoch: 0))
}
