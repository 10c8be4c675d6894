import Foundation
import NIOCore
import TestSupport
import Testing

@testable import Keybearer
@testable import KeybearerServer

/// ``ProfileBytes``, which are made of ``ResponseFragments``, beside the encoding of a ``Profile``.
@Suite struct ResponseFragmentsTests {
    /// What a test makes of an account: names that need escapes, and workspaces or none.
    private static func account(workspaces: Int) -> Account {
        let plans = [Plan.defaultCatalogue[0], Plan.defaultCatalogue[1]]
        let start = Timestamp(millisecondsSinceEpoch: 1_764_000_000_123)
        return Account(
            user: User(
                id: UserID(rawValue: "usr_a1"), email: EmailAddress(normalised: "a'da+x@exämple.com"),
                name: "Ada \"<b>&\\\u{2028}\u{1}é👩‍💻", createdAt: start),
            key: APIKey(
                id: KeyID(rawValue: "key_a1"), version: 1, shownPrefix: "tdc_a1b2", generatedAt: start),
            workspaces: (0..<workspaces).map { number in
                WorkspaceAccess(
                    workspace: Workspace(
                        id: WorkspaceID(rawValue: "ws_\(number)"), name: "A/B <\(number)> \"",
                        planID: plans[number % 2].id, createdAt: start),
                    role: Role.allCases[number % 3], plan: plans[number % 2])
            })
    }

    @Test(
        "They are the encoding of the type", arguments: [0, 1, 3],
        [nil, IPAddress(v4: 0x0102_0304), IPAddress.localSocket])
    func equal(workspaces: Int, address: IPAddress?) throws {
        let account = Self.account(workspaces: workspaces)
        let cache = KeyCache(capacity: 10, rejectedCapacity: 10, random: .seeded(1))
        let token = try #require(
            Array("tdc_".utf8 + Array(repeating: UInt8(ascii: "a"), count: 38)).withUnsafeBufferPointer {
                PresentedToken($0)
            })
        let cached = CachedAccount(
            account: account, token: token, accountState: cache.accountState(of: account.user.id))
        let lastUse = address.map { LastUse(at: Timestamp(millisecondsSinceEpoch: 1_764_000_001_000), address: $0) }
        let rateLimit = RateLimitStatus(
            limit: 1_000, remaining: 7, resetsAfter: .seconds(90),
            reckonedAt: Timestamp(millisecondsSinceEpoch: 1_764_000_002_000))
        let written = ProfileBytes(cached, lastUse: lastUse, rateLimit: rateLimit).response()
        let encoded = try Success(Profile(account, lastUse: lastUse, rateLimit: rateLimit)).response()
        #expect(try Self.value(written) == Self.value(encoded))
        #expect(written.headers == encoded.headers && written.status == encoded.status)
    }

    /// The JSON, whatever the order of its members and its escapes.
    private static func value(_ response: APIResponse) throws -> NSDictionary {
        NSDictionary(dictionary: try object(String(buffer: response.body)))
    }
}
