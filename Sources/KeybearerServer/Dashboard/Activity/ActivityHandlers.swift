import HTTPTypes
import Hummingbird
import Keybearer
import NIOCore

/// The pages "Activity" and their files.
struct ActivityHandlers: Sendable {
    private static let pageSize = 50
    /// How many members can be chosen from a list.
    private static let mostPeople = 100

    let activity: ActivityService
    let workspaces: WorkspaceService
    let pages: DashboardResponder

    /// `GET /workspaces/{workspaceID}/activity`
    @Sendable func workspacePage(_ context: RequestContext, _ signedIn: SessionService.SignedIn) async throws
        -> Response
    {
        let id = WorkspaceID(rawValue: context.parameters["workspaceID"] ?? "")
        let list = List(
            scope: .workspace(id), path: "/workspaces/\(id)/activity", isOwn: false,
            shell: DashboardShell(of: signedIn.account, current: id, section: .activity),
            actions: AuditEvent.Action.inWorkspaces)
        return try await show(list, context, signedIn)
    }

    /// `GET /account/activity`
    @Sendable func accountPage(_ context: RequestContext, _ signedIn: SessionService.SignedIn) async throws -> Response
    {
        let list = List(
            scope: .account(signedIn.account.user.id), path: "/account/activity", isOwn: true,
            shell: DashboardShell(of: signedIn.account, section: .account), actions: AuditEvent.Action.ofAccounts)
        return try await show(list, context, signedIn)
    }

    /// `GET /workspaces/{workspaceID}/activity/export`
    @Sendable func workspaceFile(_ context: RequestContext, _ signedIn: SessionService.SignedIn) async throws
        -> Response
    {
        let id = WorkspaceID(rawValue: context.parameters["workspaceID"] ?? "")
        return try await file(.workspace(id), isOwn: false, context, signedIn)
    }

    /// `GET /account/activity/export`
    @Sendable func accountFile(_ context: RequestContext, _ signedIn: SessionService.SignedIn) async throws -> Response
    {
        try await file(.account(signedIn.account.user.id), isOwn: true, context, signedIn)
    }

    /// Which list a page shows.
    private struct List {
        let scope: AuditFilter.Scope
        let path: String
        let isOwn: Bool
        let shell: DashboardShell
        let actions: [AuditEvent.Action]
    }

    private func show(
        _ list: List, _ context: RequestContext, _ signedIn: SessionService.SignedIn
    ) async throws -> Response {
        let query = context.query ?? [:]
        let account = signedIn.account
        var people: [(id: String, name: String)] = []
        do {
            let filter = try ActivityQuery(query).filter(list.scope)
            let place = try ActivityQuery(query).place()
            let page = try await activity.page(filter, before: place, limit: Self.pageSize, for: account)
            people = try await self.people(list.scope)
            if let id = filter.actor?.rawValue, case .workspace = list.scope, !people.contains(where: { $0.id == id }) {
                people.append((id, page.events.first?.actorName ?? id))
            }
            let fields = ActivityFilterFields(people: people, actions: list.actions, chosen: query)
            return pages.show(
                ActivityPage(
                    shell: list.shell, path: list.path, isOwn: list.isOwn, filter: fields,
                    rows: page.events.map { ActivityRow($0, for: account.user.id, isOwn: list.isOwn) },
                    query: ActivityQuery(query).text, next: page.next, isFirst: place == nil))
        } catch let error as KeybearerError where error.code == .badRequest {
            // Only to those who may see the list.
            _ = try await activity.page(AuditFilter(list.scope), limit: 1, for: account)
            people = try await self.people(list.scope)
            let fields = ActivityFilterFields(people: people, actions: list.actions, chosen: query)
            return pages.show(
                ActivityPage(
                    shell: list.shell, path: list.path, isOwn: list.isOwn, filter: fields, problem: error.message,
                    rows: [], query: ActivityQuery(query).text),
                .badRequest)
        }
    }

    /// The first members, to choose from. The team page leads to the events of each one.
    private func people(_ scope: AuditFilter.Scope) async throws -> [(id: String, name: String)] {
        guard case .workspace(let id) = scope else { return [] }
        return try await workspaces.members(of: id, matching: MemberFilter(limit: Self.mostPeople)).page
            .map { ($0.user.id.rawValue, $0.user.name) }
    }

    private func file(
        _ scope: AuditFilter.Scope, isOwn: Bool, _ context: RequestContext, _ signedIn: SessionService.SignedIn
    ) async throws -> Response {
        let query = context.query ?? [:]
        guard let format = ActivityExport.Format(rawValue: query["format"] ?? "csv") else {
            throw KeybearerError(.badRequest, "The format is csv or jsonl.")
        }
        let filter = try ActivityQuery(query).filter(scope)
        let (activity, account) = (activity, signedIn.account)
        let export = ActivityExport(format: format, reader: account.user.id, isOwn: isOwn)
        let first = try await activity.page(filter, limit: ActivityExport.pageSize, for: account)
        let body = export.body(first) { place in
            try await activity.page(
                filter, before: place, limit: ActivityExport.pageSize, forReader: account.user.id)
        }
        return Response(
            status: .ok,
            headers: [
                .contentType: format.contentType, .cacheControl: "no-store",
                .contentDisposition: "attachment; filename=\"activity.\(format.rawValue)\"",
            ],
            body: body)
    }
}

/// The filter of a list as it is in the query: `who`, `what`, `since`, `until`, `cursor`.
struct ActivityQuery: Sendable {
    private let query: [String: String]

    init(_ query: [String: String]) {
        self.query = query.filter { !$0.value.isEmpty }
    }

    /// The filter again as a query, without the place.
    var text: String {
        ["who", "what", "since", "until"].compactMap { name in
            query[name].map { "\(name)=\(DashboardResponder.escape($0))" }
        }.joined(separator: "&")
    }

    /// - Throws: `BAD_REQUEST`.
    func filter(_ scope: AuditFilter.Scope) throws(KeybearerError) -> AuditFilter {
        var filter = AuditFilter(scope)
        filter.actor = query["who"].map { UserID(rawValue: String($0.prefix(64))) }
        if let what = query["what"] {
            guard let action = AuditEvent.Action(rawValue: what) else {
                throw KeybearerError(.badRequest, "There is no such kind of event.")
            }
            filter.action = action
        }
        filter.since = try day("since", "first")
        // The whole of the last day.
        filter.until = try day("until", "last")?.advanced(by: .seconds(86_400))
        if let since = filter.since, let until = filter.until, until <= since {
            throw KeybearerError(.badRequest, "The last day is before the first.")
        }
        return filter
    }

    /// - Throws: `BAD_REQUEST`.
    func place() throws(KeybearerError) -> AuditPlace? {
        guard let text = query["cursor"] else { return nil }
        guard let place = AuditPlace(text) else {
            throw KeybearerError(.badRequest, "This address is not one of the list’s pages. Begin with the newest.")
        }
        return place
    }

    /// The beginning of a day in UTC.
    private func day(_ name: String, _ word: String) throws(KeybearerError) -> Timestamp? {
        guard let text = query[name] else { return nil }
        guard text.count == 10, let time = Timestamp(rfc3339: text + "T00:00:00Z") else {
            throw KeybearerError(.badRequest, "The \(word) day must be a date such as 2026-01-31.")
        }
        return time
    }
}
