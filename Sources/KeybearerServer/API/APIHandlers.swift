import Foundation
import HTTPTypes
import Keybearer
import NIOCore

/// The handlers of `/api/v1`: each one domain call, on an account that was admitted.
struct APIHandlers: Sendable {
    let keys: KeyService

    /// `GET /api/v1/me`: the profile, from memory.
    @Sendable func me(_ exchange: Exchange, _ account: CachedAccount, _ rateLimit: RateLimitStatus) -> APIAnswer {
        var buffer = ByteBufferAllocator().buffer(capacity: account.responseFragments.count + 256)
        ProfileJSON.write(account, lastUse: account.lastUse, rateLimit: rateLimit, into: &buffer)
        return APIAnswer.json(buffer)
    }

    /// `GET /api/v1/workspaces`: a page of the account's workspaces.
    @Sendable func workspaces(
        _ exchange: Exchange, _ account: CachedAccount, _ rateLimit: RateLimitStatus
    ) throws -> APIAnswer {
        let (page, limit) = try Self.page(of: exchange)
        let all = account.account.workspaces
        let first = min(all.count, (page - 1) * limit)
        let shown = all[first..<min(all.count, first + limit)].map(WorkspaceBody.init)
        let meta = PageMeta(page: page, limit: limit, total: all.count, hasMore: first + shown.count < all.count)
        return APIAnswer.json(try Envelope.success(shown, meta: meta))
    }

    /// `GET /api/v1/workspaces/{workspaceID}`: one of the account's workspaces.
    @Sendable func workspace(
        _ exchange: Exchange, _ account: CachedAccount, _ rateLimit: RateLimitStatus
    ) throws -> APIAnswer {
        let id = exchange.parameters["workspaceID"]
        guard let access = account.account.workspaces.first(where: { $0.workspace.id.rawValue == id }) else {
            throw KeybearerError(.notFound, "There is no such workspace, or it is not yours.")
        }
        return APIAnswer.json(try Envelope.success(WorkspaceBody(access)))
    }

    /// `GET /api/v1/key`: the key's record, without the key.
    @Sendable func key(_ exchange: Exchange, _ account: CachedAccount, _ rateLimit: RateLimitStatus) throws -> APIAnswer
    {
        var record = account.account.key
        record.lastUse = account.lastUse
        return APIAnswer.json(try Envelope.success(KeyBody(record)))
    }

    /// `POST /api/v1/key/regenerate`: a new key in the old one's place, answered when the old one is dead everywhere.
    @Sendable func regenerate(
        _ exchange: Exchange, _ account: CachedAccount, _ rateLimit: RateLimitStatus
    ) async throws -> APIAnswer {
        let idempotencyKeys = exchange.fields[values: FieldName.idempotencyKey]
        guard idempotencyKeys.count <= 1 else {
            throw KeybearerError(.badRequest, "Send Idempotency-Key once.")
        }
        try Self.requireNoContent(of: exchange)
        let (secret, record) = try await keys.regenerate(
            account.account.user.id, idempotencyKey: idempotencyKeys.first, by: Self.authority(exchange, account))
        return APIAnswer.json(try Envelope.success(KeyBody(record, secret: secret)))
    }

    /// `POST /api/v1/key/revoke`: ends the key that asks. Its successor is in the dashboard alone.
    @Sendable func revoke(
        _ exchange: Exchange, _ account: CachedAccount, _ rateLimit: RateLimitStatus
    ) async throws -> APIAnswer {
        try Self.requireNoContent(of: exchange)
        try await keys.revoke(account.account.user.id, by: Self.authority(exchange, account))
        return APIAnswer(status: .noContent, headers: [.cacheControl: "no-store"])
    }

    /// The key that admitted the request, in the version in which it did.
    private static func authority(_ exchange: Exchange, _ account: CachedAccount) -> Authority {
        let (user, key) = (account.account.user, account.account.key)
        return Authority(.key(key.id, version: key.version, of: user.id), from: exchange.client)
    }

    /// Accepts no body or an empty JSON object; anything else is a mistake that should be noticed.
    private static func requireNoContent(of exchange: Exchange) throws {
        let body = exchange.content
        guard body.readableBytes > 0 else { return }
        let type = exchange.fields[.contentType]?.split(separator: ";").first?.lowercased()
        guard type?.filter({ $0 != " " }) == "application/json" else {
            throw KeybearerError(.unsupportedMediaType, "Send JSON, or no body at all.")
        }
        guard let object = try? JSONSerialization.jsonObject(with: Data(body.readableBytesView)) as? [String: Any]
        else {
            throw KeybearerError(.badRequest, "The body is not a JSON object.")
        }
        if !object.isEmpty {
            throw KeybearerError.validation(
                Dictionary(uniqueKeysWithValues: object.keys.prefix(20).map { ($0, "This field is not known.") }))
        }
    }

    /// `page` from 1 and `limit` from 1 to 100, 1 and 20 when absent.
    private static func page(of exchange: Exchange) throws(KeybearerError) -> (page: Int, limit: Int) {
        guard let query = exchange.query else { throw KeybearerError(.badRequest, "The query could not be read.") }
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
