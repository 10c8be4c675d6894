import Keybearer

/// The page on which a person makes another workspace: `GET /workspaces/new`, and the response to a refused
/// `POST /workspaces`. The form sends `name` and, for a service account beside the workspace, `serviceAccount`.
struct NewWorkspacePage: Page, Equatable {
    static let template = Template.newWorkspace

    /// What surrounds the page.
    let shell: DashboardShell
    /// What was typed.
    let name: String
    /// What is wrong with the name; nil for nothing.
    let nameError: String?
    /// Whether a service account was asked for.
    let wantsServiceAccount: Bool
    /// What refused the whole request, such as the limit of workspaces.
    let notice: Notice?

    /// Puts the page together.
    init(
        shell: DashboardShell, name: String = "", nameError: String? = nil, wantsServiceAccount: Bool = false,
        notice: Notice? = nil
    ) {
        self.shell = shell
        self.name = name
        self.nameError = nameError
        self.wantsServiceAccount = wantsServiceAccount
        self.notice = notice
    }
}
