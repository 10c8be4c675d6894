import Foundation
import HTTPTypes
import KeybearerSQL
import NIOCore
import NIOPosix
import TestSupport
import Testing

@testable import Keybearer
@testable import KeybearerServer

/// The ``GateDecision`` over real sockets: what a gateway reads of ``GateResponses`` and ``GateIdentity``, from the
/// ``GateListener``.
@Suite struct GateTests {
    private static let identity = [
        "x-keybearer-user", "x-keybearer-email", "x-keybearer-email-verified", "x-keybearer-workspace",
        "x-keybearer-role", "x-keybearer-plan", "x-keybearer-key-prefix",
    ]

    private func request(
        _ client: WireClient, _ path: String = "/gate/api/v1/things", key: String?, method: String = "GET",
        _ more: [(String, String)] = [], scheme: String? = "https"
    ) async throws -> WireResponse {
        var headers = more
        if let key { headers.append(("Authorization", "Bearer \(key)")) }
        if let scheme { headers.append(("X-Forwarded-Proto", scheme)) }
        let gate = WireClient(port: client.gatePort)
        return try await gate.send(WireRequest(method: method, path: path, headers: headers), over: .http1)
    }

    private func code(_ response: WireResponse) throws -> String? { try object(response.text)["error"] as? String }

    @Test("Allowed: 200 for any method and path, identity that is always there, the rate limit, a tiny body")
    func allowed() async throws {
        let fixture = try ServerFixture()
        let (account, key) = try await fixture.account("ada@example.com")
        try await fixture.listening { client in
            for (method, path) in [
                ("GET", "/gate"), ("POST", "/gate/"), ("DELETE", "/gate/a/b?c=d"), ("PROPFIND", "/gate?x"),
                ("OPTIONS", "/gate-nginx"), ("PATCH", "/gate-nginx/%2e%2e//x"),
            ] {
                let response = try await request(client, path, key: key, method: method)
                #expect(response.status == 200, "\(method) \(path)")
                #expect(response.text == #"{"ok":true}"#)
                let values = Self.identity.map { response.values($0) }
                #expect(
                    values == [
                        [account.user.id.rawValue], ["ada@example.com"], ["true"], ["-"], ["-"], ["pro"],
                        [String(key.prefix(8))],
                    ])
                for name in ["ratelimit-policy", "ratelimit", "x-ratelimit-limit", "x-ratelimit-reset", "date"] {
                    #expect(response.values(name).count == 1, "\(name)")
                }
                #expect(response.values("x-request-id").first?.hasPrefix("req_") == true)
            }
            let head = try await request(client, key: key, method: "HEAD")
            #expect(head.status == 200 && head.body.isEmpty && head.values("content-length") == ["11"])
            // 7 were used. Of a reservation that ran out unused, 10 may be on their way back.
            #expect(["993", "983"].contains(head.values("x-ratelimit-remaining").first))
        }
    }

    @Test("Named workspaces: by header, by the original path, never two that disagree; identity says which")
    func workspaces() async throws {
        let fixture = try ServerFixture { edge, _ in
            edge.gate?.workspacePattern = WorkspacePattern("/v1/*/workspaces/{workspace}")
        }
        let (account, key) = try await fixture.account("ada@example.com")
        let mine = account.workspaces[0].workspace.id.rawValue
        let locked = try await fixture.services.workspaces.create(
            name: "Testing", owner: account.user.id, by: .commandLine
        ).id.rawValue
        let foreign = try await fixture.account("bob@example.com").account.workspaces[0].workspace.id.rawValue
        try await fixture.listening { client in
            for cold in [true, false] {
                let byHeader = try await request(client, key: key, [("X-Workspace-Id", mine)])
                #expect(byHeader.status == 200, "cold: \(cold)")
                #expect(byHeader.values("x-keybearer-workspace") == [mine])
                #expect(byHeader.values("x-keybearer-role") == ["owner"])
            }
            for (path, headers) in [
                ("/gate/v1/eu/workspaces/\(mine)/things?x=1", []),
                ("/gate", [("X-Forwarded-Uri", "/v1/eu/workspaces/\(mine)")]),
                ("/gate/v1/eu/workspaces/\(foreign)", [("X-Forwarded-Uri", "/v1/eu/%77orkspaces/\(mine)/")]),
            ] {
                let response = try await request(client, path, key: key, headers)
                #expect(response.values("x-keybearer-workspace") == [mine], "\(path) \(headers)")
            }
            for path in ["/gate?x=1", "/gate", "/gate/", "/gate/v1/eu/things"] {
                #expect(try await request(client, path, key: key).values("x-keybearer-workspace") == ["-"], "\(path)")
            }
            for (path, headers, status, expected) in [
                ("/gate/v1/eu/workspaces/\(locked)", [], 403, "FEATURE_LOCKED"),
                ("/gate/v1/eu/workspaces/\(foreign)", [], 404, "NOT_FOUND"),
                ("/gate/v1/eu/workspaces/nonsense", [], 404, "NOT_FOUND"),
                ("/gate/v1/eu/workspaces/\(mine)", [("X-Workspace-Id", locked)], 400, "BAD_REQUEST"),
                ("/gate", [("X-Workspace-Id", mine), ("X-Workspace-Id", mine)], 400, "BAD_REQUEST"),
                ("/gate", [("X-Workspace-Id", "")], 400, "BAD_REQUEST"),
                ("/gate", [("X-Forwarded-Uri", "/a"), ("X-Forwarded-Uri", "/b")], 400, "BAD_REQUEST"),
                ("/gate/v1/eu//workspaces/\(foreign)", [], 400, "BAD_REQUEST"),
                ("/gate/v1/eu/WORKSPACES/\(foreign)", [], 400, "BAD_REQUEST"),
                ("/gate", [("X-Forwarded-Uri", "/V1/eu/workspaces/\(foreign)")], 400, "BAD_REQUEST"),
                ("/gate/x/../v1/eu/workspaces/\(foreign)", [], 400, "BAD_REQUEST"),
                ("/gate/x/%2e%2e/v1/eu/workspaces/\(foreign)", [], 400, "BAD_REQUEST"),
                ("/gate/v1/eu/x%2f..%2fworkspaces/\(foreign)", [], 400, "BAD_REQUEST"),
                ("/gate/v1/eu/x%5c..%5cworkspaces/\(foreign)", [], 400, "BAD_REQUEST"),
                ("/gate/v1/eu/%2577orkspaces/\(foreign)", [], 400, "BAD_REQUEST"),
            ] {
                let response = try await request(client, path, key: key, headers)
                #expect(response.status == status, "\(path) \(headers)")
                #expect(try code(response) == expected, "\(path) \(headers)")
                #expect(response.values("x-keybearer-reason") == [expected])
                #expect(response.values("x-keybearer-user").isEmpty)
                let forNginx = try await request(
                    client, path.replacing("/gate", with: "/gate-nginx", maxReplacements: 1), key: key, headers)
                #expect(forNginx.status == 403 && forNginx.values("x-keybearer-reason") == [expected], "\(path)")
            }
        }
    }

    @Test("A cold key whose request is malformed is refused, not allowed by the way round over the store")
    func coldAndMalformed() async throws {
        let fixture = try ServerFixture()
        let (_, key) = try await fixture.account("ada@example.com")
        try await fixture.listening { client in
            let response = try await request(client, key: key, [("X-Workspace-Id", "not an id")])
            #expect(response.status == 400)
            #expect(try await request(client, key: String(key.reversed()), [("X-Workspace-Id", "x y")]).status == 401)
        }
    }

    @Test("HTTPS is the gateway's word, and only a trusted gateway's; clients too", arguments: [true, false])
    func schemeAndAddress(isTrusted: Bool) async throws {
        let fixture = try ServerFixture { edge, _ in
            if !isTrusted { edge.gate?.trustedProxies = [] }
        }
        let (account, key) = try await fixture.account("ada@example.com")
        try await fixture.listening { client in
            #expect(try await request(client, key: key).status == (isTrusted ? 200 : 403))
            #expect(try await request(client, key: key, scheme: nil).status == (isTrusted ? 403 : 200))
            for scheme in ["http", "https, http", "http,https", ""] {
                let response = try await request(client, key: key, scheme: scheme)
                #expect(try code(response) == "HTTPS_REQUIRED", "\(scheme)")
            }
            #expect(try await request(client, key: key, [("X-Forwarded-Proto", "https")]).status == 403, "said twice")
            for (value, expected) in [
                ("203.0.113.9", "203.0.113.9"), ("198.51.100.1, 203.0.113.9", "203.0.113.9"),
                ("203.0.113.9, 127.0.0.1", "203.0.113.9"), ("2001:db8::7", "2001:db8::7"), ("nonsense", "127.0.0.1"),
            ] where isTrusted {
                #expect(try await request(client, key: key, [("X-Forwarded-For", value)]).status == 200)
                let record = try await fixture.services.keys.metadata(of: account.user.id)
                #expect(record.lastUse?.address.description == expected, "\(value)")
            }
        }
    }

    @Test("Denials: the contract's status, envelope and headers; for nginx 403 with the reason")
    func denials() async throws {
        let fixture = try ServerFixture()
        let (_, key) = try await fixture.account("ada@example.com")
        let (_, lockedKey) = try await fixture.account("bob@example.com", isEntitled: false)
        try await fixture.listening { client in
            for prefix in ["/gate", "/gate-nginx"] {
                let missing = try await request(client, prefix, key: nil)
                #expect(missing.status == 401)
                #expect(missing.values("www-authenticate") == [#"Bearer realm="Keybearer""#])
                #expect(try code(missing) == "UNAUTHORIZED")
                let locked = try await request(client, prefix, key: lockedKey)
                #expect(locked.status == 403 && locked.values("x-keybearer-reason") == ["FEATURE_LOCKED"])
                #expect(locked.values("x-ratelimit-remaining") == ["1000"], "a refusal is not counted")
            }
            for _ in 0..<1_000 { #expect(try await request(client, key: key).status == 200) }
            let refused = try await request(client, key: key)
            #expect(refused.status == 429)
            let wait = try #require(refused.values("retry-after").first.flatMap { Int($0) })
            #expect(refused.values("ratelimit") == ["\"hourly\";r=0;t=\(wait)"])
            let reset = try #require(refused.values("x-ratelimit-reset").first.flatMap { Int64($0) })
            let sentAt = Timestamp(millisecondsSinceEpoch: (reset - Int64(wait)) * 1_000)
            #expect(refused.values("date") == [sentAt.httpDate], "Date and t name the instant of the reset")
            #expect(refused.values("cache-control") == ["no-store"])
            let forNginx = try await request(client, "/gate-nginx", key: key)
            #expect(forNginx.status == 403 && forNginx.values("x-keybearer-reason") == ["RATE_LIMITED"])
            #expect(forNginx.values("retry-after").count == 1)
            for path in ["/", "/gateway", "/gate-nginxx", "/api/v1/me", "/healthz", "/Gate"] {
                #expect(try await request(client, path, key: key).status == 404, "\(path)")
            }
        }
    }

    @Test("Pipelined requests are answered in order, also where a cold key makes some wait")
    func pipelined() async throws {
        let fixture = try ServerFixture()
        var keys: [(key: String, user: String)] = []
        for number in 0..<8 {
            let made = try await fixture.account("user\(number)@example.com")
            keys.append((made.key, made.account.user.id.rawValue))
        }
        let fixed = keys
        try await fixture.listening { client in
            let gate = WireClient(port: client.gatePort)
            let order = [0, 1, 0, 2, 3, 3, 1, 4, 5, 0, 6, 7, 6]
            let requests = order.map { index in
                "GET /gate/\(index) HTTP/1.1\r\nHost: a\r\nX-Forwarded-Proto: https\r\nAuthorization: Bearer \(fixed[index].key)\r\n\r\n"
            }
            // The last one asks for the end, so that all that came before is there.
            let bytes = Array((requests.joined() + "GET /gate HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").utf8)
            let text = String(decoding: try await gate.roundTrip(bytes, closing: true), as: UTF8.self)
            let users = text.components(separatedBy: "X-Keybearer-User: ").dropFirst().map {
                $0.prefix { $0 != "\r\n" }
            }
            #expect(users.map(String.init) == order.map { fixed[$0].user })
            #expect(text.contains("HTTPS_REQUIRED"))
        }
    }

    /// An account with an address that only earlier versions took.
    private static func account(
        of email: String, on fixture: ServerFixture
    ) async throws -> (account: Account, key: String) {
        let (account, key) = try await fixture.account("ada@example.com")
        try await fixture.store.engine.write(on: .requests) { connection in
            try connection.execute(
                SQL("UPDATE users SET email = $1 WHERE id = $2"), [.text(email), .text(account.user.id.rawValue)])
            return .changes((), with: [])
        }
        return (account, key)
    }

    @Test("An address that nobody vouches for is not passed on")
    func unverifiedAddress() async throws {
        let fixture = try ServerFixture()
        let made = try await fixture.services.accounts.create(
            name: "Eve", email: "ada@example.com", password: Password("long enough secret"),
            by: Authority(.anyone, from: IPAddress(v4: 1)))
        let pro = PlanID(rawValue: "pro")
        try await fixture.services.workspaces.setPlan(pro, of: made.workspaces[0].workspace.id, by: .commandLine)
        let key = try await fixture.services.keys.reveal(made.user.id, by: .commandLine).characters
        try await fixture.listening { client in
            let response = try await request(client, key: key)
            #expect(response.status == 200)
            #expect(response.values("x-keybearer-email") == ["-"])
            #expect(response.values("x-keybearer-email-verified") == ["false"])
        }
    }

    @Test("What an account is called cannot end a header or begin another")
    func namesAreEscaped() async throws {
        let fixture = try ServerFixture()
        let key = try await Self.account(of: "ädä%0d@exämple.com", on: fixture).key
        try await fixture.listening { client in
            let response = try await request(client, key: key)
            #expect(response.values("x-keybearer-email") == ["%C3%A4d%C3%A4%250d@ex%C3%A4mple.com"])
        }
    }

    @Test("The longest address of which each byte becomes three has room, with a workspace and without")
    func longestIdentity() async throws {
        let fixture = try ServerFixture()
        let (local, host) = (String(repeating: "%", count: 64), String(repeating: "%", count: 189))
        let (account, key) = try await Self.account(of: "\(local)@\(host)", on: fixture)
        let workspace = account.workspaces[0].workspace.id.rawValue
        let written = String(repeating: "%25", count: 64) + "@" + String(repeating: "%25", count: 189)
        try await fixture.listening { client in
            for headers in [[], [("X-Workspace-Id", workspace)]] {
                let response = try await request(client, key: key, headers)
                #expect(response.status == 200)
                #expect(response.values("x-keybearer-email") == [written])
            }
        }
    }

    @Test("Bodies, broken and oversized heads are refused in the envelope, and the connection ends")
    func malformed() async throws {
        let fixture = try ServerFixture()
        try await fixture.listening { client in
            let gate = WireClient(port: client.gatePort)
            let head = "GET /gate HTTP/1.1\r\nHost: a\r\n"
            for text in [
                "nonsense\r\n\r\n", "\(head)Content-Length: 3\r\n\r\nabc",
                "\(head)Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                "\(head)X: \(String(repeating: "a", count: 40_000))\r\n\r\n",
                "\(head)X: \(String(repeating: "a", count: 400_000))",
                "\(head) folded\r\n\r\n",
            ] {
                let response = String(
                    decoding: try await gate.roundTrip(Array(text.utf8), closing: true), as: UTF8.self)
                #expect(
                    response.hasPrefix("HTTP/1.1 400 Bad Request\r\n"), "\(text.prefix(60)): \(response.prefix(60))")
                #expect(response.contains(#""error":"BAD_REQUEST""#) && response.contains("Connection: close"))
                #expect(response.components(separatedBy: "HTTP/1.1 ").count == 2, "one answer alone")
            }
        }
    }

    @Test("On a Unix socket whoever may open it is believed")
    func unixSocket() async throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("gate.sock")
        let fixture = try ServerFixture { edge, _ in
            edge.gate = GateSettings(address: .unixSocket(path: path), trustedProxies: [])
        }
        let (account, key) = try await fixture.account("ada@example.com")
        try await fixture.listening { _ in
            let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
            #expect(mode == 0o660)
            let response = try await WireClient.requestGate(key, [("X-Forwarded-For", "203.0.113.9")], unixSocket: path)
            #expect(response.status == 200)
            let record = try await fixture.services.keys.metadata(of: account.user.id)
            #expect(record.lastUse?.address.description == "203.0.113.9")
        }
    }
}
