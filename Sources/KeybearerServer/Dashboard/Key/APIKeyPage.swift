import Keybearer

/// The page "API & Webhooks" with its tab "API Key": `GET /workspaces/{workspaceID}/api-webhooks`, and the answer
/// with the key in it where a browser without scripts sends the form that reveals it.
struct APIKeyPage: Page {
    static let template = Template.apiKey

    /// After a regenerate.
    static let regenerated = Notice(.success, "Key regenerated. The old key no longer works.", query: "regenerated")

    /// After the networks were changed.
    static let networksChanged = Notice(
        .success, "Allowed networks changed. No other address passes from now on.", query: "networks")

    /// After they were taken away.
    static let networksCleared = Notice(.success, "The key may be used from every address again.", query: "everywhere")

    /// After the workspace was made.
    static let created = Notice(.success, "Workspace added. You are its Owner.", query: "created")

    /// On the page of a service account: after it was made, or changed.
    static let ofServiceAccounts = [
        Notice(.success, "Service account added. Copy its key to where it is used.", query: "added"),
        Notice(.success, "Service account renamed.", query: "renamed"),
        Notice(.success, "Service account disabled. Its key is refused.", query: "disabled"),
        Notice(.success, "Service account enabled. Its key passes again.", query: "enabled"),
    ]

    /// After the workspace moved to another plan.
    static func planChanged(to planName: String) -> Notice {
        Notice(.success, "This workspace is now on the \(planName) plan.", query: "plan")
    }

    /// What the tab shows. A locked page has no place for a key, so it cannot leak one.
    enum Content: Sendable {
        /// The key and everything about it.
        case open(KeyPanel)
        /// The lock and the way to an upgrade.
        case locked(LockPanel)
        /// The key's record could not be read; the sentence says why.
        case unavailable(String)
    }

    /// What surrounds the page.
    let shell: DashboardShell
    /// The workspace in the path, as its id's characters. Links and forms are built with it.
    let workspaceID: String
    /// Where the key's page is. Its forms are below.
    let keyPath: String
    /// Whose key it is, where it is not the reader's own.
    let serviceAccount: ServiceAccountHeading?
    /// What happened before this page.
    let notice: Notice?
    /// What the tab shows.
    let content: Content

    /// Puts the page together.
    ///
    /// - Parameter keyPath: nil for the reader's own key.
    init(
        shell: DashboardShell, workspaceID: String, keyPath: String? = nil,
        serviceAccount: ServiceAccountHeading? = nil, notice: Notice? = nil, content: Content
    ) {
        self.shell = shell
        self.workspaceID = workspaceID
        self.keyPath = keyPath ?? KeySubject.path(of: nil, in: WorkspaceID(rawValue: workspaceID))
        self.serviceAccount = serviceAccount
        self.notice = notice
        self.content = content
    }
}
