import Keybearer

/// The account of a key: what `/api/v1/me` answers. ``ProfileBytes`` writes the same without encoding it each time.
struct Profile: JSONNoun {
    let id: UserID
    let kind: User.Kind
    /// Null for a service account.
    let email: Nullable<String>
    let name: String
    let createdAt: Timestamp
    let key: KeyJSON
    let workspaces: [WorkspaceJSON]
    let rateLimit: RateLimitJSON

    init(_ account: Account, lastUse: LastUse?, rateLimit: RateLimitStatus) {
        (id, kind, name) = (account.user.id, account.user.kind, account.user.name)
        email = Nullable(account.user.address?.rawValue)
        createdAt = account.user.createdAt
        var record = account.key
        record.lastUse = lastUse
        key = KeyJSON(record)
        workspaces = account.workspaces.map { WorkspaceJSON($0) }
        self.rateLimit = RateLimitJSON(rateLimit)
    }

    /// A workspace inside a profile, which has no `createdAt`.
    struct WorkspaceJSON: JSONNoun {
        let id: WorkspaceID
        let name: String
        let role: Role
        let plan: PlanID
        let features: [Feature]

        init(_ access: WorkspaceAccess) {
            id = access.workspace.id
            name = access.workspace.name
            role = access.role
            plan = access.plan.id
            features = access.plan.features.sorted()
        }

        static let noun = "ProfileWorkspace"
        static let sample = WorkspaceJSON(.sample)
    }

    static let noun = "Profile"
    static let sample = Profile(
        Account(
            user: User(
                id: UserID(rawValue: "usr_a1"), email: EmailAddress(normalised: "ada@example.com"), name: "Ada",
                createdAt: Timestamp(millisecondsSinceEpoch: 0)),
            key: APIKey(
                id: KeyID(rawValue: "key_a1"), version: 1, shownPrefix: "tdc_a1b2",
                generatedAt: Timestamp(millisecondsSinceEpoch: 0)),
            workspaces: [.sample]),
        lastUse: nil, rateLimit: .sample)
}

/// How the account stands against its rate limit.
struct RateLimitJSON: JSONNoun {
    let limit: Int
    let remaining: Int
    let resetAt: Timestamp

    init(_ rateLimit: RateLimitStatus) {
        limit = rateLimit.limit
        remaining = rateLimit.remaining
        resetAt = rateLimit.resetAt
    }

    static let noun = "RateLimit"
    static let sample = RateLimitJSON(.sample)
}

extension RateLimitStatus {
    /// For schemas.
    static let sample = RateLimitStatus(
        limit: 1_000, remaining: 999, resetsAfter: .seconds(60),
        reckonedAt: Timestamp(millisecondsSinceEpoch: 0))
}
