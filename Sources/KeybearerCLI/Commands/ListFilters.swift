import ArgumentParser
import Keybearer

/// Which accounts a list shows: the operator API's filters.
struct UserFilterOptions: ParsableArguments {
    @Option(name: .long, help: "Only people (person) or only service accounts (service).") var kind: UserCommand.Kind?
    @Option(name: .long, help: "The one with this e-mail address.") var email: String?
    @Option(name: .customLong("external-id"), help: "The one with this external id.") var externalID: String?
    @Option(name: .long, help: "Only active or only disabled ones.") var status: Status?
    @Option(name: .long, help: "Members of this workspace: its id (ws_…) or its external id (ext:…).")
    var workspace: String?
    @Option(name: .long, help: "Members of a workspace on this plan.") var plan: String?
    @OptionGroup var times: TimeFilterOptions

    enum Status: String, ExpressibleByArgument, CaseIterable {
        case active, disabled

        var status: User.Status { self == .active ? .active : .disabled }
    }

    /// Whether a filter is named that only ``DirectoryService`` has.
    var isNamed: Bool {
        email != nil || externalID != nil || status != nil || workspace != nil || plan != nil || times.isNamed
    }

    /// The entries of a page.
    func rows(_ paging: PageOptions, _ services: Services) async throws -> ListedRows<Account> {
        guard isNamed else {
            let (accounts, total) = try await services.accounts.list(kind?.kind, page: paging.page, limit: paging.limit)
            return ListedRows(rows: accounts, total: total)
        }
        var filter = UserFilter()
        (filter.kind, filter.status) = (kind?.kind, status?.status)
        filter.planID = plan.map(PlanID.init(rawValue:))
        (filter.createdAfter, filter.updatedAfter) = (try times.created(), try times.updated())
        if let workspace {
            filter.workspaceID = try await services.directory.workspace(
                WorkspaceCommand.Selection.reference(workspace)
            ).workspace.id
        }
        let external = try externalID.map { try UserCommand.externalID($0) }
        return try await paging.walk { [filter] cursor in
            try await services.directory.users(
                matching: filter, email: email, externalID: external, cursor: cursor, limit: paging.limit)
        }
    }
}

/// Which workspaces a list shows: the operator API's filters.
struct WorkspaceFilterOptions: ParsableArguments {
    @Option(name: .customLong("external-id"), help: "The one with this external id.") var externalID: String?
    @Option(name: .long, help: "Workspaces of this member: id, external id (ext:…) or e-mail address.")
    var user: String?
    @Option(name: .long, help: "Only workspaces on this plan.") var plan: String?
    @Option(name: .long, help: "Only active or only suspended ones.") var status: Status?
    @OptionGroup var times: TimeFilterOptions

    enum Status: String, ExpressibleByArgument, CaseIterable {
        case active, suspended
    }

    private var isNamed: Bool {
        externalID != nil || user != nil || plan != nil || status != nil || times.isNamed
    }

    /// The entries of a page.
    func rows(
        _ paging: PageOptions, _ services: Services
    ) async throws -> ListedRows<(workspace: Workspace, memberCount: Int)> {
        guard isNamed else {
            let (rows, total) = try await services.workspaces.list(page: paging.page, limit: paging.limit)
            return ListedRows(rows: rows.map { ($0.workspace, $0.memberCount) }, total: total)
        }
        var filter = WorkspaceFilter()
        filter.externalID = try externalID.map { try UserCommand.externalID($0) }
        if let user { filter.memberID = try await services.accounts.find(user).user.id }
        filter.planID = plan.map(PlanID.init(rawValue:))
        filter.isSuspended = status.map { $0 == .suspended }
        (filter.createdAfter, filter.updatedAfter) = (try times.created(), try times.updated())
        let found = try await paging.walk { [filter] cursor in
            try await services.directory.workspaces(matching: filter, cursor: cursor, limit: paging.limit)
        }
        return ListedRows(rows: found.rows.map { ($0.workspace, $0.memberCount) }, hasMore: found.hasMore)
    }
}

/// Since when entries were made or changed.
struct TimeFilterOptions: ParsableArguments {
    @Option(name: .long, help: "Made at or behind this time, such as 2026-01-31T12:00:00Z.") var createdAfter: String?
    @Option(
        name: .long,
        help: "Changed at or behind this time, or in the 60 seconds before: what was being written is not missed.")
    var updatedAfter: String?

    var isNamed: Bool { createdAfter != nil || updatedAfter != nil }

    func created() throws -> Timestamp? { try createdAfter.map(Self.time) }

    func updated() throws -> Timestamp? { try updatedAfter.map(Self.time) }

    private static func time(_ text: String) throws -> Timestamp {
        guard let time = Timestamp(rfc3339: text) else {
            throw ValidationError("'\(text)' is no time such as 2026-01-31T12:00:00Z.")
        }
        return time
    }
}

/// A page of a list, and what is known of the rest.
struct ListedRows<Row: Sendable>: Sendable {
    let rows: [Row]
    /// How many there are in all; nil where nobody counted them.
    let total: Int?
    /// Whether there is a page behind this one, where nobody counted.
    let hasMore: Bool

    init(rows: [Row], total: Int) { (self.rows, self.total, self.hasMore) = (rows, total, false) }

    init(rows: [Row], hasMore: Bool) { (self.rows, self.total, self.hasMore) = (rows, nil, hasMore) }

    /// Says how much of the list was shown.
    func report() {
        guard let total else { return Console.report(hasMore ? "\(rows.count), and there are more" : "\(rows.count)") }
        Console.report("\(rows.count) of \(total)")
    }
}

extension PageOptions {
    /// The page of a list that is read by cursors.
    func walk<Row: Sendable>(
        _ read: (_ cursor: String?) async throws -> DirectoryService.Page<Row>
    ) async throws -> ListedRows<Row> {
        var found = try await read(nil)
        for _ in 1..<page {
            guard let cursor = found.nextCursor else { return ListedRows(rows: [], hasMore: false) }
            found = try await read(cursor)
        }
        return ListedRows(rows: found.entries, hasMore: found.nextCursor != nil)
    }
}
