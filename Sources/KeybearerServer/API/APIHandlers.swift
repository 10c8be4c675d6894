import HTTPTypes
import Keybearer
import NIOCore

/// The handlers of `/api/v1`: each one domain call, on an account that was admitted.
struct APIHandlers: Sendable {
    let keys: KeyService
    let reports: UsageService

    /// `GET /api/v1/me`: the profile, from memory.
    @Sendable func me(_ context: RequestContext, _ account: CachedAccount, _ rateLimit: RateLimitStatus) -> ProfileBytes
    {
        ProfileBytes(account, lastUse: account.lastUse, rateLimit: rateLimit)
    }

    /// `GET /api/v1/workspaces`: a page of the account's workspaces.
    @Sendable func workspaces(
        _ context: RequestContext, _ account: CachedAccount, _ rateLimit: RateLimitStatus
    ) throws -> ListPage<WorkspaceJSON> {
        let (page, limit) = try Self.page(of: context)
        let all = account.account.workspaces
        let first = min(all.count, (page - 1) * limit)
        let shown = all[first..<min(all.count, first + limit)].map { WorkspaceJSON($0) }
        let meta = PageMeta(page: page, limit: limit, total: all.count, hasMore: first + shown.count < all.count)
        return ListPage(nouns: shown, meta: meta)
    }

    /// `GET /api/v1/workspaces/{workspaceID}`: one of the account's workspaces.
    @Sendable func workspace(
        _ context: RequestContext, _ account: CachedAccount, _ rateLimit: RateLimitStatus
    ) throws -> Success<WorkspaceJSON> {
        let id = context.parameters["workspaceID"]
        guard let access = account.account.workspaces.first(where: { $0.workspace.id.rawValue == id }) else {
            throw KeybearerError(.notFound, "There is no such workspace, or it is not yours.")
        }
        return Success(WorkspaceJSON(access))
    }

    /// `GET /api/v1/key`: the key's record, without the key.
    @Sendable func key(_ context: RequestContext, _ account: CachedAccount, _ rateLimit: RateLimitStatus)
        -> Success<KeyJSON>
    {
        var record = account.account.key
        record.lastUse = account.lastUse
        return Success(KeyJSON(record))
    }

    /// `GET /api/v1/usage`: what the requests of the key's account came to. This one counts as well.
    @Sendable func usage(
        _ context: RequestContext, _ account: CachedAccount, _ rateLimit: RateLimitStatus
    ) async throws -> Success<UsageJSON> {
        guard let query = context.query else { throw KeybearerError(.badRequest, "The query could not be read.") }
        let report = try await reports.report(
            of: account.account.user.id, range: reports.range(named: query["range"]),
            zone: reports.zone(named: query["timeZone"]))
        return Success(UsageJSON(report))
    }

    /// `POST /api/v1/key/regenerate`: a new key in the old one's place, answered when the old one is dead everywhere.
    @Sendable func regenerate(
        _ context: RequestContext, _ account: CachedAccount, _ rateLimit: RateLimitStatus
    ) async throws -> Success<KeyJSON> {
        let idempotencyKey = try context.single(HeaderName.idempotencyKey)
        try context.requireNoContent()
        let (secret, record) = try await keys.regenerate(
            account.account.user.id, idempotencyKey: idempotencyKey, by: context.authority(of: account))
        return Success(KeyJSON(record, secret: secret))
    }

    /// `POST /api/v1/key/revoke`: ends the key that asks. Its successor is in the dashboard alone.
    @Sendable func revoke(
        _ context: RequestContext, _ account: CachedAccount, _ rateLimit: RateLimitStatus
    ) async throws -> NoContent {
        try context.requireNoContent()
        try await keys.revoke(account.account.user.id, by: context.authority(of: account))
        return NoContent()
    }

    /// `page` from 1 and `limit` from 1 to 100, 1 and 20 when absent.
    private static func page(of context: RequestContext) throws(KeybearerError) -> (page: Int, limit: Int) {
        guard let query = context.query else { throw KeybearerError(.badRequest, "The query could not be read.") }
        func number(_ name: String, default fallback: Int, upTo most: Int) throws(KeybearerError) -> Int {
            guard let text = query[name] else { return fallback }
            guard let number = Int(text), (1...most).contains(number), String(number) == text else {
                throw KeybearerError(.badRequest, "\(name) must be a whole number from 1 to \(most).")
            }
            return number
        }
        return (try number("page", default: 1, upTo: 1_000_000), try number("limit", default: 20, upTo: 100))
    }
}
