import Keybearer

/// The pages "Activity": what happened in a workspace (`GET /workspaces/{workspaceID}/activity`), and what happened to an
/// account (`GET /account/activity`).
struct ActivityPage: Page, Equatable {
    static let template = Template.activity

    /// What surrounds the page.
    let shell: DashboardShell
    /// Where the page is: links and the filter's form are built with it.
    let path: String
    /// Whether it is an account's own.
    let isOwn: Bool
    /// What the filter's fields hold.
    let filter: ActivityFilterFields
    /// What is wrong with the filter; the list is empty then.
    let problem: String?
    /// The events of the page, the newest first.
    let rows: [ActivityRow]
    /// Whether there is anything to list.
    let hasRows: Bool
    /// Whether the filter leaves something out.
    let isFiltered: Bool
    /// The address of older events; nil where there are none.
    let olderPath: String?
    /// The address of the newest ones; nil on the page that shows them.
    let newestPath: String?
    /// The filtered list as a file.
    let csvPath: String
    let linesPath: String

    /// Puts the page together.
    ///
    /// - Parameters:
    ///   - query: the filter as a query, without the place; empty for none.
    ///   - next: where older events begin.
    ///   - isFirst: whether the newest events are on this page.
    init(
        shell: DashboardShell, path: String, isOwn: Bool, filter: ActivityFilterFields, problem: String? = nil,
        rows: [ActivityRow], query: String = "", next: AuditPlace? = nil, isFirst: Bool = true
    ) {
        self.shell = shell
        self.path = path
        self.isOwn = isOwn
        self.filter = filter
        self.problem = problem
        self.rows = rows
        hasRows = !rows.isEmpty
        isFiltered = !query.isEmpty
        let prefix = query.isEmpty ? "?" : "?\(query)&"
        olderPath = next.map { "\(path)\(prefix)cursor=\($0)" }
        newestPath = isFirst ? nil : path + (query.isEmpty ? "" : "?\(query)")
        csvPath = "\(path)/export\(prefix)format=csv"
        linesPath = "\(path)/export\(prefix)format=jsonl"
    }
}

/// The fields of the filter with what they hold.
struct ActivityFilterFields: Sendable, Equatable {
    /// One of the choices of a list.
    struct Choice: Sendable, Equatable {
        let value: String
        let name: String
        let isChosen: Bool
    }

    /// Who can be chosen; empty where the filter has no such field.
    let people: [Choice]
    let hasPeople: Bool
    /// What can be chosen.
    let actions: [Choice]
    /// The first day, `2026-01-31`; empty for none.
    let since: String
    /// The last day; empty for none.
    let until: String

    init(people: [(id: String, name: String)], actions: [AuditEvent.Action], chosen query: [String: String]) {
        self.people = people.map { Choice(value: $0.id, name: $0.name, isChosen: $0.id == query["who"]) }
        hasPeople = !people.isEmpty
        self.actions = actions.map {
            Choice(value: $0.rawValue, name: $0.filterName, isChosen: $0.rawValue == query["what"])
        }
        since = query["since"] ?? ""
        until = query["until"] ?? ""
    }
}

/// One event in the list.
struct ActivityRow: Sendable, Equatable {
    /// What was done, in words.
    let sentence: String
    /// When.
    let at: PageTime
    /// Where the request came from; nil where it is not told.
    let from: String?
    /// The client in words; nil where it is not told.
    let client: String?

    /// - Parameters:
    ///   - reader: who reads it.
    ///   - isOwn: whether it is the reader's own page: where others were when they did something is theirs.
    init(_ named: NamedAuditEvent, for reader: UserID, isOwn: Bool) {
        let event = named.event
        sentence = ActivitySentence(named, for: reader).text
        at = PageTime(event.at)
        let isTold = !isOwn || event.actor == .user(reader) || event.action == .signInFailed
        from = isTold ? event.address?.displayName : nil
        client = isTold ? event.origin?.userAgent.map { BrowserName.describe($0) } : nil
    }
}
