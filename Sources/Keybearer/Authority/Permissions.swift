/// Something that a member does in a workspace.
public enum Action: String, Sendable, Hashable, CaseIterable {
    /// See the workspace's pages, and choose it as one's own first one.
    case openWorkspace = "open_workspace"
    /// See the member's own key.
    case revealKey = "reveal_key"
    /// Replace the member's own key.
    case regenerateKey = "regenerate_key"
    /// Say from which networks the member's own key may be used.
    case changeNetworks = "change_networks"
    /// Call the workspace something else.
    case renameWorkspace = "rename_workspace"
    /// Move the workspace to another plan.
    case changePlan = "change_plan"
    /// Remove the workspace.
    case deleteWorkspace = "delete_workspace"
    /// Stop being a member.
    case leaveWorkspace = "leave_workspace"
    /// Invite people as Admins and Members, and withdraw invitations.
    case inviteMembers = "invite_members"
    /// Change and remove Admins and Members.
    case manageMembers = "manage_members"
    /// Make, rename, disable, enable and delete the workspace's service accounts, and see the records of their keys.
    case manageServiceAccounts = "manage_service_accounts"
    /// See the key of a service account.
    case revealServiceKey = "reveal_service_key"
    /// Replace the key of a service account.
    case regenerateServiceKey = "regenerate_service_key"
    /// Say from which networks the key of a service account may be used.
    case changeServiceNetworks = "change_service_networks"
    /// See the workspace's webhooks and what became of their messages.
    case viewWebhooks = "view_webhooks"
    /// Make, change, test and enable webhooks, replace their secrets, and send messages again.
    case manageWebhooks = "manage_webhooks"
    /// Disable and delete webhooks.
    case stopWebhooks = "stop_webhooks"
    /// See what happened in the workspace, and who did it.
    case viewActivity = "view_activity"
    /// Invite and make Owners, and change and remove them.
    case manageOwners = "manage_owners"

    /// What is done, as a sentence about a person ends: "Only an Owner of the workspace can …".
    var words: String {
        switch self {
        case .openWorkspace: "open it"
        case .revealKey: "see a key"
        case .regenerateKey: "replace a key"
        case .changeNetworks: "say where a key works"
        case .renameWorkspace: "rename it"
        case .changePlan: "change its plan"
        case .deleteWorkspace: "delete it"
        case .leaveWorkspace: "leave it"
        case .inviteMembers: "invite people"
        case .manageMembers: "change its members"
        case .manageServiceAccounts: "manage its service accounts"
        case .revealServiceKey: "see the key of a service account"
        case .regenerateServiceKey: "replace the key of a service account"
        case .changeServiceNetworks: "say where the key of a service account works"
        case .viewWebhooks: "see its webhooks"
        case .manageWebhooks: "manage its webhooks"
        case .stopWebhooks: "disable and delete its webhooks"
        case .viewActivity: "see its activity"
        case .manageOwners: "make, change or remove an Owner"
        }
    }
}

/// Which role may do what: the one table.
package enum Permissions {
    /// What an action wants besides the role.
    package struct Rule: Sendable, Hashable {
        /// The roles that may do it.
        package let roles: Set<Role>
        /// Whether the workspace's plan must include the API.
        package let needsFeature: Bool
        /// Whether the password must have been given recently.
        package let needsRecentSignIn: Bool

        fileprivate init(_ roles: Set<Role>, feature: Bool = false, recentSignIn: Bool = false) {
            self.roles = roles
            needsFeature = feature
            needsRecentSignIn = recentSignIn
        }
    }

    /// The table. Regenerating works while the feature is locked: a leaked key must not revive on an upgrade.
    package static func rule(of action: Action) -> Rule {
        switch action {
        case .openWorkspace: Rule(everyone)
        case .revealKey: Rule(everyone, feature: true, recentSignIn: true)
        case .regenerateKey, .changeNetworks: Rule(everyone, recentSignIn: true)
        case .renameWorkspace: Rule(managers)
        case .changePlan: Rule([.owner])
        case .deleteWorkspace: Rule([.owner], recentSignIn: true)
        case .leaveWorkspace: Rule(everyone)
        case .inviteMembers, .manageMembers, .manageServiceAccounts, .viewActivity: Rule(managers)
        case .viewWebhooks, .stopWebhooks: Rule(managers)
        case .manageWebhooks: Rule(managers, feature: true)
        case .revealServiceKey: Rule(managers, feature: true, recentSignIn: true)
        case .regenerateServiceKey, .changeServiceNetworks: Rule(managers, recentSignIn: true)
        case .manageOwners: Rule([.owner])
        }
    }

    /// What the holder of an account does to the account itself only after a recent sign-in, by how it is audited. Looked
    /// at where a session asks for it.
    package static func needsRecentSignIn(_ action: AuditEvent.Action) -> Bool { ofRecentSignIns.contains(action) }

    private static let ofRecentSignIns: Set<AuditEvent.Action> = [
        .identityLinked, .identityUnlinked, .emailChangeAsked,
    ]

    /// Whether a role may do something.
    package static func allows(_ role: Role, _ action: Action) -> Bool { rule(of: action).roles.contains(role) }

    private static let everyone: Set<Role> = [.owner, .admin, .member]
    private static let managers: Set<Role> = [.owner, .admin]
}

/// What a change needs besides its credential: the right to an action in a workspace.
///
/// The store looks at membership, role, plan and sign-in again in the transaction that commits the change.
public struct Requirement: Sendable, Hashable {
    /// What is done.
    public let action: Action
    /// The workspace in which it is done.
    public let workspaceID: WorkspaceID
    /// To which of its service accounts it is done; nil for what is done to none. One of another workspace is not there.
    public let serviceAccountID: UserID?

    /// Puts the parts together.
    public init(_ action: Action, in workspaceID: WorkspaceID, of serviceAccountID: UserID? = nil) {
        self.action = action
        self.workspaceID = workspaceID
        self.serviceAccountID = serviceAccountID
    }
}

extension KeybearerError {
    /// The workspace is not there, or the caller is no member of it: nothing tells which.
    package static let notYourWorkspace = KeybearerError(
        .notFound, "There is no such workspace, or it is not yours.")

    /// The plan of the workspace does not include the API.
    package static let featureLocked = KeybearerError(
        .featureLocked,
        "The plan does not include \(Feature.apiWebhooks.displayName). A workspace Owner can upgrade it.")

    /// The role does not allow the action.
    public static func roleForbids(_ action: Action) -> KeybearerError {
        let isForAdmins = Permissions.allows(.admin, action)
        let who = isForAdmins ? "Only an Owner or an Admin" : "Only an Owner"
        return KeybearerError(.forbidden, "\(who) of the workspace can \(action.words).")
    }
}
