import HTTPTypes
import Hummingbird
import Keybearer
import NIOCore

/// The tab "Usage" of a workspace's page: what the account's requests came to.
struct UsagePageHandlers: Sendable {
    let usage: UsageService
    let serviceAccounts: ServiceAccountService
    let node: Node
    let pages: DashboardResponder

    /// `GET /workspaces/{workspaceID}/api-webhooks/usage`
    @Sendable func page(_ context: RequestContext, _ signedIn: SessionService.SignedIn) async throws -> Response {
        let subject = try await KeySubject.find(context, signedIn, among: serviceAccounts)
        let access = subject.access
        guard access.includesAPI else { return show(signedIn, subject, .locked(access.plan.name)) }
        let query = context.query ?? [:]
        var notice: Notice?
        let range: UsageReport.Range
        let zone: ReportZone
        do {
            (range, zone) = (try usage.range(named: query["range"]), try usage.zone(named: query["timeZone"]))
        } catch {
            // Something to look at, and to choose again from.
            range = query["range"].flatMap(UsageReport.Range.init) ?? .days
            zone = query["timeZone"].flatMap(ReportZone.init) ?? .utc
            notice = Notice(.failure, "\(error.message) This is \(zone.name), \(UsagePanel.words(range)).")
        }
        do {
            let report = try await usage.report(of: subject.account.user.id, range: range, zone: zone)
            let panel = UsagePanel(report, warning: try await warning(subject.account, access))
            return show(signedIn, subject, .open(panel), notice: notice, notice == nil ? .ok : .badRequest)
        } catch let error as KeybearerError where error.code == .unavailable {
            return show(signedIn, subject, .unavailable(error.message), error.code.status)
        }
    }

    /// `GET /workspaces/{workspaceID}/api-webhooks/usage.csv`
    @Sendable func csv(_ context: RequestContext, _ signedIn: SessionService.SignedIn) async throws -> Response {
        let subject = try await KeySubject.find(context, signedIn, among: serviceAccounts)
        try KeyPageHandlers.requireFeature(subject.access)
        let query = context.query ?? [:]
        let report = try await usage.report(
            of: subject.account.user.id, range: usage.range(named: query["range"]),
            zone: usage.zone(named: query["timeZone"]))
        return Response(
            status: .ok,
            headers: [
                .contentType: "text/csv; charset=utf-8", .cacheControl: "no-store",
                .contentDisposition: "attachment; filename=\"usage-\(report.range.rawValue).csv\"",
            ], body: ResponseBody(byteBuffer: ByteBuffer(string: UsageCSV.text(of: report))))
    }

    /// How near the account is to its rate limit, with the limit of the page's workspace.
    private func warning(_ account: Account, _ access: WorkspaceAccess) async throws -> QuotaWarning? {
        let status = try await node.rateLimitStatus(of: account, limit: account.hourlyLimit(in: access))
        return QuotaWarning(node.quotaLevel(of: account, status), status)
    }

    private func show(
        _ signedIn: SessionService.SignedIn, _ subject: KeySubject, _ content: UsagePage.Content,
        notice: Notice? = nil, _ status: HTTPResponse.Status = .ok
    ) -> Response {
        pages.show(
            UsagePage(
                shell: DashboardShell(
                    of: signedIn.account, current: subject.access.workspace.id, section: .apiWebhooks,
                    portal: signedIn.session.portal),
                workspaceID: subject.access.workspace.id.rawValue, keyPath: subject.path,
                serviceAccount: subject.heading(), notice: notice, content: content), status)
    }
}
