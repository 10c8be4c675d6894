import Keybearer

/// The question before a key is regenerated, as a page of its own:
/// `GET /workspaces/{workspaceID}/api-webhooks/regenerate`.
///
/// It serves browsers without scripts, and workspaces whose plan lacks the feature: a leaked key must be
/// replaceable there too. The form sends `version` and `idempotencyKey`.
struct RegeneratePage: Page, Equatable {
    static let template = Template.regenerate

    /// What surrounds the page.
    let shell: DashboardShell
    /// The workspace in the path, as its id's characters.
    let workspaceID: String
    /// Where the key's page is.
    let keyPath: String
    /// Whose key it is, where it is not the reader's own.
    let serviceAccount: ServiceAccountHeading?
    /// The leading characters of the key that would stop working.
    let prefix: String
    /// Its version: a form whose key was replaced since replaces no other one.
    let version: Int
    /// A new random value per page: a form sent twice regenerates once.
    let idempotencyKey: String
    /// What happened before this page.
    let notice: Notice?

    /// Puts the page together.
    ///
    /// - Parameter keyPath: nil for the reader's own key.
    init(
        shell: DashboardShell, workspaceID: String, keyPath: String? = nil,
        serviceAccount: ServiceAccountHeading? = nil, prefix: String, version: Int, idempotencyKey: String,
        notice: Notice? = nil
    ) {
        self.shell = shell
        self.workspaceID = workspaceID
        self.keyPath = keyPath ?? KeySubject.path(of: nil, in: WorkspaceID(rawValue: workspaceID))
        self.serviceAccount = serviceAccount
        self.prefix = prefix
        self.version = version
        self.idempotencyKey = idempotencyKey
        self.notice = notice
    }
}
