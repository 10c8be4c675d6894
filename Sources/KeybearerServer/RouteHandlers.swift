/// The handlers behind the paths of ``Routes``, a group for each part of the server.
struct RouteHandlers: Sendable {
    let probes: Probes
    var metrics = MetricsHandlers()
    var openAPI = OpenAPIHandlers()
    let api: APIHandlers
    let webhooks: WebhookHandlers
    let operatorWebhooks: OperatorWebhookHandlers
    let events: EventHandlers
    let operators: IntrospectionHandlers
    let users: UserHandlers
    let workspaces: WorkspaceHandlers
    let serviceAccounts: ServiceAccountHandlers
    let limits: LimitHandlers
    let lookups: KeyLookupHandlers
    let usage: UsageHandlers
    let bulk: BulkHandlers
    let portalLinks: PortalLinkHandlers
    let portal: PortalHandlers
    let assets: AssetHandlers
    var reference: ReferenceHandlers
    let signIn: SignInHandlers
    let identities: IdentityHandlers
    let keyPages: KeyPages
    let webhookPages: WebhookPageHandlers
    let usagePage: UsagePageHandlers
    let workspacePages: WorkspacePageHandlers
    let teamPages: TeamPageHandlers
    let invitations: InvitationHandlers
    let activity: ActivityHandlers
    let account: AccountPageHandlers
    let mailLinks: MailLinkHandlers
    let secondFactor: SecondFactorHandlers
}
