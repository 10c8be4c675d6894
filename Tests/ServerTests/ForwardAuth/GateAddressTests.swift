import Foundation
import HTTPTypes
import KeybearerSQL
import NIOCore
import TestSupport
import Testing

@testable import Keybearer
@testable import KeybearerServer

/// Who the client is at the gate (``GateHandler``), over real sockets.
@Suite struct GateAddressTests {
    @Test(
        "Several lines of a forwarding header count like one",
        arguments: [
            ([("X-Forwarded-For", "6.6.6.6"), ("X-Forwarded-For", "203.0.113.9")], "203.0.113.9"),
            ([("x-forwarded-for", "203.0.113.9"), ("X-FORWARDED-FOR", "127.0.0.1")], "203.0.113.9"),
            (
                [("X-Forwarded-For", "x"), ("X-Other", "1"), ("X-Forwarded-For", "203.0.113.9, 127.0.0.1")],
                "203.0.113.9"
            ),
            ([("X-Forwarded-For", "203.0.113.9"), ("X-Forwarded-For", "")], "127.0.0.1"),
            ([("Forwarded", "for=6.6.6.6"), ("Forwarded", "for=\"203.0.113.9:1\"")], "203.0.113.9"),
            (
                [("Forwarded", "for=203.0.113.9"), ("X-Forwarded-For", "x"), ("X-Forwarded-For", "203.0.113.9")],
                "203.0.113.9"
            ),
            ([("Forwarded", "for=6.6.6.6"), ("X-Forwarded-For", "203.0.113.9")], "127.0.0.1"),
            ([("X-Forwarded-For", "x, 203.0.113.9")], "203.0.113.9"),
            ([("X-Forwarded-For", "[::ffff:203.0.113.9]:80")], "203.0.113.9"),
            ([("X-Forwarded-For", "203.0.113.9")], "203.0.113.9"), ([("X-Forwarded-For", "fe80::9%eth0")], "fe80::9"),
        ] as [([(String, String)], String)])
    func lines(headers: [(String, String)], expected: String) async throws {
        let fixture = try ServerFixture()
        let (account, key) = try await fixture.account("ada@example.com")
        try await fixture.listening { client in
            let all = headers + [("X-Forwarded-Proto", "https"), ("Authorization", "Bearer \(key)")]
            let request = WireRequest(method: "GET", path: "/gate", headers: all)
            let response = try await WireClient(port: client.gatePort).send(request, over: .http1)
            #expect(response.status == 200)
            let record = try await fixture.services.keys.metadata(of: account.user.id)
            #expect(record.lastUse?.address.description == expected)
        }
    }

    @Test("A Unix socket's peer without a client: the time, and no address in JSON, \"local socket\" on the page")
    func localSocket() async throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("gate.sock")
        let fixture = try ServerFixture { edge, _ in
            edge.gate = GateSettings(address: .unixSocket(path: path), trustedProxies: [])
        }
        let (account, key) = try await fixture.account("ada@example.com")
        try await fixture.listening { _ in
            let response = try await WireClient.requestGate(key, unixSocket: path)
            #expect(response.status == 200)
        }
        let record = try await fixture.services.keys.metadata(of: account.user.id)
        let use = try #require(record.lastUse)
        #expect(use.address == .localSocket)
        let body = try object(String(decoding: JSONText.encode(KeyJSON(record)), as: UTF8.self))
        #expect(body["lastUsedIp"] is NSNull && body["lastUsedAt"] as? String == use.at.description)
        let stored = try #require(try await fixture.store.account(id: account.user.id))
        #expect(stored.key.lastUse == use, "written and read as it was")
        let session = try await fixture.services.signIn.withPassword(
            email: "ada@example.com", password: Password("long enough secret"), from: IPAddress(v4: 1),
            userAgent: "test")
        let workspace = account.workspaces[0].workspace.id
        let page = try await fixture.respond(
            .get, "/workspaces/\(workspace)/api-webhooks",
            [.cookie: "\(SessionCookie.name)=\(session.token.characters)"])
        #expect(page.status == 200)
        #expect(page.body.contains(#"from <span class="address">local socket</span>"#))
    }

    @Test("The profile of a key that was last used over a local socket has its time and a null address")
    func profile() async throws {
        let fixture = try ServerFixture()
        let (_, key) = try await fixture.account("ada@example.com")
        let headers: HTTPFields = [.authorization: "Bearer \(key)"]
        let response = try await fixture.respond(.get, "/api/v1/me", headers, peer: "::")
        let data = try #require(try object(response.body)["data"] as? [String: Any])
        let record = try #require(data["key"] as? [String: Any])
        #expect(record["lastUsedIp"] is NSNull && record["lastUsedAt"] is String)
    }
}
