import Keybearer

/// The page "Workspace settings": `GET /workspaces/{workspaceID}/settings`, and the response to a refused form of it.
///
/// Renaming and deleting send `name`; the choice of the default workspace sends nothing but its path.
struct WorkspaceSettingsPage: Page, Equatable {
    static let template = Template.workspaceSettings

    /// After a new name was given.
    static let renamed = Notice(.success, "Workspace renamed.", query: "renamed")
    /// After the workspace became the default.
    static let madeDefault = Notice(.success, "The dashboard begins with this workspace now.", query: "default")

    /// Which form was refused, and why.
    enum Problem: Sendable, Equatable {
        case rename(typed: String, String)
        case delete(String)
    }

    /// What surrounds the page.
    let shell: DashboardShell
    /// The workspace in the path.
    let workspaceID: String
    /// What it is called; in a refused form, what was typed.
    let name: String
    /// What people call its plan.
    let planName: String
    /// What happened before this page.
    let notice: Notice?
    /// Whether the reader may rename it.
    let canRename: Bool
    /// Whether the reader may delete it.
    let canDelete: Bool
    /// Whether the reader's dashboard begins with it.
    let isDefault: Bool
    /// What becomes of the members of a deleted workspace.
    let members: String
    /// What is wrong with the new name.
    let nameError: String?
    /// What is wrong with the typed name.
    let deleteError: String?
    /// Whether a form was refused.
    let hasErrors: Bool

    /// Puts the page together.
    init(
        shell: DashboardShell, access: WorkspaceAccess, isDefault: Bool, memberCount: Int, notice: Notice? = nil,
        problem: Problem? = nil
    ) {
        self.shell = shell
        self.notice = notice
        self.isDefault = isDefault
        workspaceID = access.workspace.id.rawValue
        planName = access.plan.name
        canRename = Permissions.allows(access.role, .renameWorkspace)
        canDelete = Permissions.allows(access.role, .deleteWorkspace)
        members =
            memberCount <= 1
            ? "You are its only member." : "Its \(memberCount) members lose it. They are not told by Keybearer."
        hasErrors = problem != nil
        switch problem {
        case .rename(let typed, let text): (name, nameError, deleteError) = (typed, text, nil)
        case .delete(let text): (name, nameError, deleteError) = (access.workspace.name, nil, text)
        case nil: (name, nameError, deleteError) = (access.workspace.name, nil, nil)
        }
    }
}
