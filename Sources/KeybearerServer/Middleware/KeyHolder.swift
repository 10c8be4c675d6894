public import Keybearer

/// Whose key a request carried, once it passed.
public struct KeyHolder: Sendable {
    /// The account.
    public let userID: UserID
    /// Whether it is a person's account.
    public let kind: User.Kind
    /// The person's address; nil for a service account.
    public let email: EmailAddress?
    /// The workspace that the request named; nil when it named none.
    public let workspaceID: WorkspaceID?
    /// The account's role there.
    public let role: Role?
    /// The plan that decided.
    public let plan: PlanID?
    /// The leading characters of the key.
    public let keyPrefix: String
    /// What the account has left of its rate limit.
    public let rateLimit: RateLimitStatus

    init(_ account: CachedAccount, scope: AccessScope, rateLimit: RateLimitStatus) {
        let named = account.access(to: scope)
        userID = account.account.user.id
        kind = account.account.user.kind
        email = account.account.user.address
        workspaceID = named?.workspace.id
        role = named?.role
        plan = (named?.plan ?? account.decidingPlan)?.id
        keyPrefix = account.account.key.shownPrefix
        self.rateLimit = rateLimit
    }
}
