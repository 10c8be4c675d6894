/// The audit log for people: what happened in a workspace, to those who may see it, and what happened to an account, to
/// its holder.
public final class ActivityService: Sendable {
    /// A part of the list.
    public struct Page: Sendable {
        /// The events, the newest first.
        public let events: [NamedAuditEvent]
        /// Where older events begin; nil where there are none.
        public let next: AuditPlace?
    }

    private let context: ServiceContext

    init(context: ServiceContext) {
        self.context = context
    }

    /// A page of events before a place.
    ///
    /// - Throws: `NOT_FOUND` when the account is not a member of the workspace, or another account is asked for;
    ///   `FORBIDDEN` when its role does not allow to see what happens there; `UNAVAILABLE`.
    public func page(
        _ filter: AuditFilter, before place: AuditPlace? = nil, limit: Int, for account: Account
    ) async throws -> Page {
        try Self.require(filter.scope, for: account)
        let found = try await context.store.auditEvents(matching: filter, before: place, limit: limit + 1)
        let shown = Array(found.prefix(limit))
        return Page(events: shown, next: found.count > limit ? shown.last?.place : nil)
    }

    /// The same for a list that is read over some time: who reads it must still be allowed to, page by page.
    ///
    /// - Throws: also where the account is gone or disabled.
    package func page(
        _ filter: AuditFilter, before place: AuditPlace, limit: Int, forReader id: UserID
    ) async throws -> Page {
        guard let account = try await context.store.account(id: id), account.user.status == .active else {
            throw KeybearerError(.unauthorized, "Sign in again.")
        }
        return try await page(filter, before: place, limit: limit, for: account)
    }

    private static func require(_ scope: AuditFilter.Scope, for account: Account) throws(KeybearerError) {
        switch scope {
        case .account(let id):
            guard id == account.user.id else { throw KeybearerError(.notFound, "There is no such account.") }
        case .workspace(let id):
            guard let access = account.workspaces.first(where: { $0.workspace.id == id }) else {
                throw .notYourWorkspace
            }
            guard Permissions.allows(access.role, .viewActivity) else { throw .roleForbids(.viewActivity) }
        }
    }
}
