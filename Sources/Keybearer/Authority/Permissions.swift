/// Something that a member does in a workspace.
public enum Action: String, Sendable, Hashable, CaseIterable {
    /// See the member's own key.
    case revealKey = "reveal_key"
    /// Replace the member's own key.
    case regenerateKey = "regenerate_key"
    /// Move the workspace to another plan.
    case changePlan = "change_plan"
    /// See what happened in the workspace, and who did it.
    case viewActivity = "view_activity"
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
    }

    /// The table. Regenerating works while the feature is locked: a leaked key must not revive on an upgrade.
    package static func rule(of action: Action) -> Rule {
        switch action {
        case .revealKey: Rule(roles: everyone, needsFeature: true, needsRecentSignIn: true)
        case .regenerateKey: Rule(roles: everyone, needsFeature: false, needsRecentSignIn: true)
        case .changePlan: Rule(roles: [.owner], needsFeature: false, needsRecentSignIn: false)
        case .viewActivity: Rule(roles: [.owner, .admin], needsFeature: false, needsRecentSignIn: false)
        }
    }

    /// Whether a role may do something.
    package static func allows(_ role: Role, _ action: Action) -> Bool { rule(of: action).roles.contains(role) }

    private static let everyone: Set<Role> = [.owner, .admin, .member]
}

/// What a change needs besides its credential: the right to an action in a workspace.
///
/// The store looks at membership, role, plan and sign-in again in the transaction that commits the change.
public struct Requirement: Sendable, Hashable {
    /// What is done.
    public let action: Action
    /// The workspace in which it is done.
    public let workspaceID: WorkspaceID

    /// Puts both together.
    public init(_ action: Action, in workspaceID: WorkspaceID) {
        self.action = action
        self.workspaceID = workspaceID
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
    package static func roleForbids(_ action: Action) -> KeybearerError {
        KeybearerError(
            .forbidden,
            action == .changePlan
                ? "Only an Owner of the workspace can change its plan." : "Your role does not allow this.")
    }
}
