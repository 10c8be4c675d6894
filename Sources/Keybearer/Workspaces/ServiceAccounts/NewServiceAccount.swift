/// What a new service account consists of.
package struct NewServiceAccount: Sendable {
    /// The account, whose workspace it names.
    package let user: User
    /// Its one workspace.
    package let workspaceID: WorkspaceID
    /// The key's record.
    package let key: APIKey
    /// The key itself, sealed.
    package let sealedKey: SealedKey
    /// The person who made it; nil where it was the operator.
    package let maker: UserID?

    /// How many a workspace can have.
    package static let most = 10

    /// Puts a new service account together.
    ///
    /// Its id is where others have their address: it has no `@`, so it is nobody's address and can never become one.
    package init(
        id: UserID, name: String, externalID: ExternalID? = nil, in workspaceID: WorkspaceID, createdAt: Timestamp,
        key: APIKey, sealedKey: SealedKey, maker: UserID? = nil
    ) {
        user = User(
            id: id, email: EmailAddress(normalised: id.rawValue), name: name, createdAt: createdAt,
            externalID: externalID, hasPassword: false, serviceWorkspaceID: workspaceID)
        self.workspaceID = workspaceID
        self.key = key
        self.sealedKey = sealedKey
        self.maker = maker
    }
}

/// The person who is responsible for a service account.
public struct ResponsiblePerson: Sendable, Hashable {
    /// Who.
    public let id: UserID
    /// What the person is called.
    public let name: String

    /// Puts the parts together.
    package init(id: UserID, name: String) { (self.id, self.name) = (id, name) }
}

/// A person who has seen the live key of a service account.
public struct ServiceKeyView: Sendable, Hashable {
    /// Whose key.
    public let serviceAccount: UserID
    /// What the service account is called.
    public let name: String
    /// Who saw it.
    public let viewer: UserID
    /// What the person is called; nil for one whose account is gone.
    public let viewerName: String?
    /// The person's role in the workspace now; nil for one who has left it.
    public let viewerRole: Role?
    /// When the person saw it last.
    public let at: Timestamp

    /// Puts the parts together.
    package init(
        serviceAccount: UserID, name: String, viewer: UserID, viewerName: String?, viewerRole: Role?, at: Timestamp
    ) {
        self.serviceAccount = serviceAccount
        self.name = name
        self.viewer = viewer
        self.viewerName = viewerName
        self.viewerRole = viewerRole
        self.at = at
    }

    /// Whether the person could see it now as well.
    public var mayStillSee: Bool { viewerRole.map { Permissions.allows($0, .revealServiceKey) } ?? false }
}
