/// The account of a person or, as a service account, of an environment or a machine.
public struct User: Sendable, Hashable {
    /// Whether there is a person behind an account.
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        /// Somebody who signs in.
        case person
        /// A service account: a member of one workspace that never signs in. See ``ServiceAccountService``.
        case service
    }

    /// Whether the account may be used at all.
    public enum Status: String, Sendable, Hashable, CaseIterable {
        /// It may sign in and its key passes.
        case active
        /// It may not sign in and its key is refused; enabling it again revives both.
        case disabled
    }

    /// Names the account.
    public let id: UserID
    /// The one workspace of a service account; nil for a person.
    public let serviceWorkspaceID: WorkspaceID?
    /// How the person signs in. For a service account it is the account's id, which is nobody's address: see
    /// ``address``.
    public let email: EmailAddress
    /// What the person, or the environment or machine, is called; 1 to 200 characters and at most 1,000 bytes.
    public let name: String
    /// Whether the account may be used.
    public let status: Status
    /// Whether the account belongs to someone who runs Keybearer.
    public let isOperator: Bool
    /// When the account was made.
    public let createdAt: Timestamp
    /// What the product calls the person; nil where it gave no id.
    public let externalID: ExternalID?
    /// Whether the address is known to be the person's: by the operator's word, or by mail.
    public let isEmailVerified: Bool
    /// Whether the person can sign in with a password. Without one the product signs them in.
    public let hasPassword: Bool
    /// Rises with every change of the record itself: what its address, name, external id or status is.
    public let version: Int
    /// When the record was changed last.
    public let updatedAt: Timestamp
    /// The limit that holds for the account instead of its plans'; nil where those do.
    public let limit: LimitOverride?
    /// The workspace that the dashboard begins with; nil where the person chose none. It may be gone since.
    public let defaultWorkspaceID: WorkspaceID?

    /// From where its key may be used; nil for everywhere.
    public let allowedNetworks: AllowedNetworks?

    /// Puts an account together.
    ///
    /// - Parameter updatedAt: nil for a new account.
    package init(
        id: UserID, email: EmailAddress, name: String, status: Status = .active, isOperator: Bool = false,
        createdAt: Timestamp, externalID: ExternalID? = nil, isEmailVerified: Bool = false, hasPassword: Bool = true,
        version: Int = 1, updatedAt: Timestamp? = nil, limit: LimitOverride? = nil,
        defaultWorkspaceID: WorkspaceID? = nil, serviceWorkspaceID: WorkspaceID? = nil,
        allowedNetworks: AllowedNetworks? = nil
    ) {
        self.id = id
        self.email = email
        self.name = name
        self.status = status
        self.isOperator = isOperator
        self.createdAt = createdAt
        self.externalID = externalID
        self.isEmailVerified = isEmailVerified
        self.hasPassword = hasPassword
        self.version = version
        self.updatedAt = updatedAt ?? createdAt
        self.limit = limit
        self.defaultWorkspaceID = defaultWorkspaceID
        self.serviceWorkspaceID = serviceWorkspaceID
        self.allowedNetworks = allowedNetworks
    }

    /// Whether there is a person behind it.
    public var kind: Kind { serviceWorkspaceID == nil ? .person : .service }

    /// The person's e-mail address; nil for a service account, which has none.
    public var address: EmailAddress? { kind == .person ? email : nil }

    /// What tells the account from others to a person: the address, or a service account's name.
    public var label: String { address?.rawValue ?? name }
}

/// An account with its key's record and its workspaces: what a request is decided on.
public struct Account: Sendable, Hashable {
    /// The person.
    public let user: User
    /// The one key.
    public let key: APIKey
    /// The workspaces, oldest first.
    public let workspaces: [WorkspaceAccess]

    /// Puts the parts together.
    package init(user: User, key: APIKey, workspaces: [WorkspaceAccess]) {
        self.user = user
        self.key = key
        self.workspaces = workspaces
    }
}
