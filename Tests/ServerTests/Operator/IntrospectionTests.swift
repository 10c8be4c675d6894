import Foundation
import HTTPTypes
import TestSupport
import Testing

@testable import Keybearer
@testable import KeybearerServer

/// ``IntrospectionHandlers`` behind the ``OperatorResponder``.
@Suite struct IntrospectionTests {
    private func request(
        _ fixture: ServerFixture, _ body: String, token: String?, method: HTTPRequest.Method = .post,
        type: String = "application/x-www-form-urlencoded", path: String = "/operator/v1/introspect"
    ) async throws -> (status: Int, headers: HTTPFields, body: [String: Any]) {
        var headers: HTTPFields = [.contentType: type]
        if let token { headers[.authorization] = "Bearer \(token)" }
        let response = try await fixture.respond(method, path, headers, body: body)
        return (response.status, response.headers, try object(response.body))
    }

    private func operatorToken(_ fixture: ServerFixture) async throws -> (id: OperatorTokenID, secret: String) {
        let made = try await fixture.services.operatorTokens.create(
            name: "billing", scopes: [.introspect], by: .commandLine)
        return (made.token.id, made.secret.characters)
    }

    @Test("An active key: who it is, where it is, the rate limit; counted, with the client's address as last use")
    func active() async throws {
        let fixture = try ServerFixture()
        let (account, key) = try await fixture.account("ada@example.com")
        let token = try await operatorToken(fixture).secret
        let workspace = account.workspaces[0].workspace.id.rawValue
        let plain = try await request(fixture, "token=\(key)&client_address=203.0.113.9", token: token)
        #expect(plain.status == 200)
        #expect(plain.headers[.cacheControl] == "no-store")
        #expect(plain.body["active"] as? Bool == true)
        #expect(plain.body["sub"] as? String == account.user.id.rawValue)
        #expect(plain.body["username"] as? String == "ada@example.com")
        let claimed = try await fixture.services.accounts.create(
            name: "Mallory", email: "victim@example.com", password: Password("long enough secret"),
            by: Authority(.anyone, from: .localSocket))
        try await fixture.services.workspaces.setPlan(
            PlanID(rawValue: "pro"), of: claimed.workspaces[0].workspace.id, by: .commandLine)
        let other = try await fixture.services.keys.reveal(claimed.user.id, by: .commandLine).characters
        let unverified = try await request(fixture, "token=\(other)", token: token).body
        #expect(unverified["active"] as? Bool == true && unverified["username"] as? String == "-", "only claimed")
        #expect(plain.body["token_type"] as? String == "Bearer")
        #expect(plain.body["plan"] as? String == "pro")
        #expect(plain.body["workspace"] == nil)
        #expect((plain.body["rateLimit"] as? [String: Any])?["remaining"] as? Int == 999)
        let record = try await fixture.services.keys.metadata(of: account.user.id)
        #expect(record.lastUse?.address.description == "203.0.113.9")
        let named = try await request(
            fixture, "token_type_hint=access_token&token=\(key)&workspace_id=\(workspace)", token: token)
        #expect(named.body["workspace"] as? String == workspace)
        #expect(named.body["role"] as? String == "owner")
        #expect((named.body["rateLimit"] as? [String: Any])?["remaining"] as? Int == 998)
    }

    @Test("What may not pass is never active; an unknown key gets that and nothing more")
    func inactive() async throws {
        let fixture = try ServerFixture()
        let (account, key) = try await fixture.account("ada@example.com")
        let (_, locked) = try await fixture.account("bob@example.com", isEntitled: false)
        let token = try await operatorToken(fixture).secret
        let foreign = try KeyVault(ring: try .generate(from: .system)).issue(prefix: .standard, random: .system)
        for unknown in ["", "x", foreign.characters, String(key.dropLast()) + "!", token] {
            let response = try await request(fixture, "token=\(unknown)", token: token)
            #expect(response.status == 200)
            #expect(response.body.count == 1 && response.body["active"] as? Bool == false, "\(unknown.prefix(6))")
        }
        let refused = try await request(fixture, "token=\(locked)", token: token).body
        #expect(refused["active"] as? Bool == false && refused["error"] as? String == "FEATURE_LOCKED")
        #expect(refused["sub"] == nil)
        for _ in 0..<1_000 {
            #expect(try await request(fixture, "token=\(key)", token: token).body["active"] as? Bool == true)
        }
        let limited = try await request(fixture, "token=\(key)", token: token).body
        #expect(limited["active"] as? Bool == false && limited["status"] as? Int == 429)
        #expect(limited["retryAfter"] as? Int ?? 0 > 3_000)
        _ = try await fixture.services.keys.regenerate(account.user.id, idempotencyKey: nil, by: .commandLine)
        #expect(try await request(fixture, "token=\(key)", token: token).body.count == 1)
    }

    @Test("The caller authenticates with an operator token, and a revoked one is rejected immediately")
    func caller() async throws {
        let fixture = try ServerFixture()
        let (_, key) = try await fixture.account("ada@example.com")
        let (id, secret) = try await operatorToken(fixture)
        let cut = String(secret.dropLast())
        for wrong in [nil, "", key, cut, cut + "é", secret + "x", "kbo_" + String(repeating: "a", count: 43)] {
            let response = try await request(fixture, "token=\(key)", token: wrong)
            #expect(response.status == 401)
            #expect(response.headers[.wwwAuthenticate]?.hasPrefix(#"Bearer realm="Keybearer operators""#) == true)
        }
        for guess in 100..<150 {
            let unknown = "kbo_" + String(repeating: "a", count: 40) + "\(guess)"
            #expect(
                try await request(fixture, "token=\(key)", token: unknown).status == 401, "as version 0.1 made them")
        }
        #expect(try await request(fixture, "", token: secret).status == 400)
        #expect(try await request(fixture, "token=\(key)&workspace_id=x", token: secret).status == 400)
        for (address, status) in [("x", 400), ("::", 400), ("fe80::1%25eth0", 200), ("::ffff:192.0.2.1", 200)] {
            let response = try await request(fixture, "token=\(key)&client_address=\(address)", token: secret)
            #expect(response.status == status, "\(address)")
        }
        #expect(try await request(fixture, "{}", token: secret, type: "application/json").status == 415)
        #expect(try await request(fixture, "", token: secret, method: .get).status == 405)
        #expect(try await request(fixture, "", token: secret, path: "/operator/v1/nothing").status == 404)
        #expect(try await request(fixture, "", token: nil, path: "/operator/v1/nothing").status == 401)
        #expect(try await request(fixture, "token=\(key)", token: secret).status == 200)
        try await fixture.services.operatorTokens.revoke(id, by: .commandLine)
        #expect(try await request(fixture, "token=\(key)", token: secret).status == 401)
        #expect(try await fixture.services.operatorTokens.list().isEmpty)
    }
}
