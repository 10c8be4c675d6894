import Keybearer

/// Looks, before a route's handler, whether a person may do what the route does in the workspace of its path: by
/// ``Permissions``, the one table. The store looks again in the transaction that commits a change.
enum WorkspaceGuard {
    /// The workspace of the path, as one of the account's own.
    ///
    /// - Throws: `NOT_FOUND` for one of which it is no member, whether that exists or not.
    static func access(_ context: RequestContext, _ account: Account) throws(KeybearerError) -> WorkspaceAccess {
        let id = context.parameters["workspaceID"]
        guard let access = account.workspaces.first(where: { $0.workspace.id.rawValue == id }) else {
            throw KeybearerError.notYourWorkspace
        }
        return access
    }

    /// Refuses what is not the account's to do.
    ///
    /// - Throws: `NOT_FOUND`; `FORBIDDEN` for a role that does not allow it; `FEATURE_LOCKED`.
    static func require(_ action: Action?, of account: Account, _ context: RequestContext) throws(KeybearerError) {
        guard let action else { return }
        let access = try access(context, account)
        guard Permissions.allows(access.role, action) else { throw KeybearerError.roleForbids(action) }
        if Permissions.rule(of: action).needsFeature, !access.includesAPI { throw KeybearerError.featureLocked }
    }
}
