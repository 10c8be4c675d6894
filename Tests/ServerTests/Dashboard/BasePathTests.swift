import Foundation
import HTTPTypes
import TestSupport
import Testing

@testable import Keybearer
@testable import KeybearerServer

/// A server below a path of `app.test`: the ``EdgeResponder`` takes requests with the path and without, as proxies send
/// them, and all that comes out of it is below the path.
@Suite struct BasePathTests {
    /// What a proxy leaves of the path.
    static let arrivals = ["", "/developers"]
    private static let base = "/developers"

    private static func fixture(apiURL: String? = nil) throws -> ServerFixture {
        let brand = try Brand.acme()
        let back = try AllowedReturnURL(parsing: "https://app.test/back")
        return try ServerFixture { edge, domain in
            edge.publicURL = PublicURL("https://app.test\(base)")
            edge.apiURL = apiURL.flatMap { PublicURL($0) }
            edge.brand = brand
            domain.portalReturnURLs = [back]
        }
    }

    /// A browser's request, and everything about the response that a client sees.
    private static func send(
        _ fixture: ServerFixture, _ method: HTTPRequest.Method, _ path: String, _ headers: HTTPFields = [:],
        form: [String: String]? = nil
    ) async throws -> (status: Int, headers: HTTPFields, body: String) {
        var headers = headers
        headers[HeaderName.fetchSite] = "same-origin"
        if form != nil { headers[.contentType] = "application/x-www-form-urlencoded" }
        let body = (form ?? [:]).map { "\($0.key)=\(DashboardResponder.escape($0.value))" }.joined(separator: "&")
        let response = try await fixture.respond(method, path, headers, body: body, authority: "app.test")
        let problems = Self.outside(response.headers, response.body)
        #expect(problems.isEmpty, "\(method) \(path): \(problems)")
        return response
    }

    /// What a response says of paths outside the base, and of Keybearer.
    private static func outside(_ headers: HTTPFields, _ body: String) -> [String] {
        var problems: [String] = []
        for header in headers {
            let plain = header.value.replacing("/developers", with: "")
            let isLocation = header.name == .location && !header.value.hasPrefix("https://app.test/back")
            if isLocation, header.value != base, !header.value.hasPrefix(base + "/") { problems.append("\(header)") }
            if header.name == .setCookie, !plain.contains("Path=;") { problems.append("\(header)") }
            if header.value.lowercased().contains("keybearer") { problems.append("\(header)") }
        }
        if body.lowercased().contains("keybearer") { problems.append("Keybearer in the body") }
        for match in body.matches(of: /(?:href|src|action|data-[a-z]+-url|confirmUrl)"?[=:] ?"(\/[^"]*)"/) {
            if !match.1.hasPrefix("\(base)/") { problems.append("\(match.0)") }
        }
        for match in body.matches(of: /https?:\/\/app\.test([^"'\s<]*)/) {
            if !["/developers", "/back", "/help"].contains(where: { match.1.hasPrefix($0) }) {
                problems.append("\(match.0)")
            }
        }
        return problems
    }

    @Test("From signing in to signing out", arguments: arrivals)
    func pages(arrival: String) async throws {
        let fixture = try Self.fixture()
        let (account, key) = try await fixture.account("ada@example.com")
        let page = "/workspaces/\(account.workspaces[0].workspace.id)/api-webhooks"
        let first = try await Self.send(fixture, .get, "\(arrival)/account?x=1")
        #expect(first.headers[.location] == "/developers/sign-in?next=/developers/account%3Fx%3D1")
        let signIn = try await Self.send(fixture, .get, "\(arrival)/sign-in?next=/developers/account")
        #expect(signIn.body.contains(#"<form class="stack" method="post" action="/developers/sign-in""#))
        #expect(signIn.body.contains(#"name="next" value="/developers/account""#))
        let form = ["email": "ada@example.com", "password": "long enough secret", "next": "/developers/account"]
        let entered = try await Self.send(fixture, .post, "\(arrival)/sign-in", form: form)
        #expect(entered.headers[.location] == "/developers/account")
        let set = try #require(entered.headers[.setCookie])
        #expect(
            set.hasPrefix("__Secure-key-dashboard=")
                && set.contains("; Path=/developers; Secure; HttpOnly; SameSite=Lax"))
        let cookie: HTTPFields = [.cookie: String(set.prefix { $0 != ";" })]

        let home = try await Self.send(fixture, .get, arrival.isEmpty ? "/" : arrival, cookie)
        #expect(home.headers[.location] == "/developers\(page)")
        for path in [
            page, "\(page)/regenerate", "/account", "/confirm?next=\(page)", "/nothing", "/sign-up", "/portal",
        ] {
            let response = try await Self.send(fixture, .get, arrival + path, cookie)
            #expect([200, 404, 410].contains(response.status), "\(path)")
        }
        let shown = try await Self.send(fixture, .get, arrival + page, cookie)
        #expect(shown.body.contains("https://app.test/developers/api/v1/me"))
        let revealed = try await Self.send(fixture, .post, "\(arrival)\(page)/reveal", cookie, form: [:])
        #expect(revealed.body.contains(key))
        let regenerated = try await Self.send(fixture, .post, "\(arrival)\(page)/regenerate", cookie, form: [:])
        #expect(regenerated.headers[.location] == "/developers\(page)?regenerated=1")
        let out = try await Self.send(fixture, .post, "\(arrival)/sign-out", cookie, form: [:])
        #expect(out.headers[.location] == "/developers/sign-in?signedOut=1")
        #expect(out.headers[.setCookie]?.hasPrefix("__Secure-key-dashboard=; Path=/developers;") == true)
    }

    @Test("A sign-in that is not recent leads to the password, for scripts too", arguments: arrivals)
    func confirm(arrival: String) async throws {
        let clock = TestClock()
        let brand = try Brand.acme()
        let fixture = try ServerFixture(clocks: clock.clocks) { edge, _ in
            edge.publicURL = PublicURL("https://app.test\(Self.base)")
            edge.brand = brand
        }
        let (account, _) = try await fixture.account("ada@example.com")
        let session = try await fixture.services.sessions.start(for: account, from: .localSocket, userAgent: "test")
        clock.advance(by: .seconds(3_600))
        var headers: HTTPFields = [.cookie: "__Secure-key-dashboard=\(session.token.characters)"]
        let page = "/workspaces/\(account.workspaces[0].workspace.id)/api-webhooks"
        let expected = "/developers/confirm?next=/developers\(page)"
        let led = try await Self.send(fixture, .post, "\(arrival)\(page)/reveal", headers, form: [:])
        #expect(led.headers[.location] == expected)
        headers[.accept] = "application/json"
        let told = try await Self.send(fixture, .post, "\(arrival)\(page)/reveal", headers, form: [:])
        #expect(try object(told.body)["confirmUrl"] as? String == expected)
        headers[.accept] = nil
        let form = ["password": "long enough secret", "next": "/developers\(page)"]
        let confirmed = try await Self.send(fixture, .post, "\(arrival)/confirm", headers, form: form)
        #expect(confirmed.headers[.location] == "/developers\(page)")
    }

    @Test("A form leads to no page of the product's", arguments: arrivals)
    func elsewhere(arrival: String) async throws {
        let fixture = try Self.fixture()
        _ = try await fixture.account("ada@example.com")
        for next in [
            "/developers/../admin", "/developers/%2e%2e/admin", "//evil.test", "/developers//evil.test", "/\\evil",
        ] {
            let form = ["email": "ada@example.com", "password": "long enough secret", "next": next]
            let entered = try await Self.send(fixture, .post, "\(arrival)/sign-in", form: form)
            #expect(entered.headers[.location] == "/developers/", "\(next)")
        }
    }

    @Test("A portal link, its page and its session", arguments: arrivals)
    func portal(arrival: String) async throws {
        let fixture = try Self.fixture()
        let client = try await OperatorClient(fixture)
        let (account, _) = try await fixture.account("ada@example.com")
        let made = try await client.send(
            .post, "/portal-links", #"{"user":"\#(account.user.id)","returnUrl":"https://app.test/back"}"#)
        let url = try #require(made.data["url"] as? String)
        let link = try #require(url.firstRange(of: "https://app.test/developers/portal?code="))
        let code = String(url[link.upperBound...])
        let page = try await Self.send(fixture, .get, "\(arrival)/portal?code=\(code)")
        #expect(page.body.contains(#"<form method="post" action="/developers/portal""#))
        let opened = try await Self.send(fixture, .post, "\(arrival)/portal", form: ["code": code])
        let workspace = account.workspaces[0].workspace.id
        #expect(opened.headers[.location] == "/developers/workspaces/\(workspace)/api-webhooks")
        let cookie: HTTPFields = [.cookie: String((opened.headers[.setCookie] ?? "").prefix { $0 != ";" })]
        let inside = try await Self.send(fixture, .get, "\(arrival)/workspaces/\(workspace)/api-webhooks", cookie)
        #expect(inside.status == 200 && inside.body.contains("← Back to Acme"))
    }

    @Test("Both APIs, the probes and the assets", arguments: arrivals)
    func programs(arrival: String) async throws {
        let fixture = try Self.fixture()
        let (_, key) = try await fixture.account("ada@example.com")
        let token = try await OperatorClient(fixture).secret
        #expect(
            try await Self.send(fixture, .get, "\(arrival)/api/v1/me", [.authorization: "Bearer \(key)"]).status == 200)
        #expect(
            try await Self.send(fixture, .get, "\(arrival)/api/v1/nothing", [.authorization: "Bearer \(key)"]).status
                == 404)
        #expect(
            try await Self.send(fixture, .options, "\(arrival)/api/v1/me", [.authorization: "Bearer \(key)"]).status
                == 204)
        #expect(
            try await Self.send(fixture, .get, "\(arrival)/operator/v1/users", [.authorization: "Bearer \(token)"])
                .status
                == 200)
        for path in ["/healthz", DashboardAssets.stylesheetURL, DashboardAssets.scriptURL] {
            #expect(try await Self.send(fixture, .get, arrival + path).status == 200, "\(path)")
        }
        for path in ["/api/v1/me", "//api/v1/me", "/operator/v1/users"] {
            #expect(try await Self.send(fixture, .get, arrival + path).status == 401, "\(path)")
        }
        let document = try object(try await Self.send(fixture, .get, "\(arrival)/openapi.json").body)
        #expect((document["servers"] as? [[String: String]]) == [["url": "https://app.test/developers"]])
        #expect((document["info"] as? [String: String])?["title"] == "Acme")
    }

    @Test("On the event loop, over the wire", arguments: arrivals)
    func eventLoop(arrival: String) async throws {
        let fixture = try Self.fixture()
        let (account, key) = try await fixture.account("ada@example.com")
        try await fixture.listening { client in
            for path in ["/api/v1/me", "/api/v1/me?x=1", "/api/v1/workspaces/\(account.workspaces[0].workspace.id)"] {
                for _ in 0..<2 {
                    let response = try await client.send(
                        WireRequest(path: arrival + path, headers: [("Authorization", "Bearer \(key)")]),
                        over: .http1Kept)
                    #expect(response.status == 200, "\(arrival)\(path)")
                }
            }
        }
    }

    @Test("An API with another address is in the examples and in the document, and nowhere else")
    func apiURL() async throws {
        let fixture = try Self.fixture(apiURL: "https://api.app.test")
        let (account, _) = try await fixture.account("ada@example.com")
        let session = try await fixture.services.sessions.start(for: account, from: .localSocket, userAgent: "test")
        let page = try await Self.send(
            fixture, .get, "/workspaces/\(account.workspaces[0].workspace.id)/api-webhooks",
            [.cookie: "__Secure-key-dashboard=\(session.token.characters)"])
        #expect(page.body.contains("https://api.app.test/api/v1/me") && !page.body.contains("developers/api/v1"))
        let document = try object(try await Self.send(fixture, .get, "/openapi.json").body)
        let paths = try #require(document["paths"] as? [String: [String: Any]])
        #expect((paths["/api/v1/me"]?["servers"] as? [[String: String]]) == [["url": "https://api.app.test"]])
        #expect(paths["/operator/v1/users"]?["servers"] == nil)
    }

    @Test("HSTS is for this host alone, whose subdomains are the product's affair")
    func transportSecurity() async throws {
        let below = try await Self.send(try Self.fixture(), .get, "/developers/sign-in")
        #expect(below.headers[.strictTransportSecurity] == "max-age=31536000")
        let whole = try await ServerFixture { edge, _ in edge.publicURL = PublicURL("https://app.test") }
            .respond(.get, "/sign-in")
        #expect(whole.headers[.strictTransportSecurity] == "max-age=31536000; includeSubDomains")
    }

    @Test("A form comes from a page of the origin, by Sec-Fetch-Site or by Origin", arguments: arrivals)
    func origins(arrival: String) async throws {
        let fixture = try Self.fixture()
        for (origin, status) in [
            ("https://app.test", 401), ("https://app.test:443", 401), ("https://evil.test", 403),
            ("http://app.test", 403),
            ("https://app.test/developers", 403), ("https://app.test.evil.test", 403), ("null", 403),
        ] {
            let headers: HTTPFields = [.origin: origin, .contentType: "application/x-www-form-urlencoded"]
            let response = try await fixture.respond(
                .post, "\(arrival)/sign-in", headers, body: "email=a@example.com&password=x", authority: "internal:8080"
            )
            #expect(response.status == status, "\(origin)")
        }
    }

    @Test("Where HTTPS is missing, the address under it is below the path", arguments: arrivals)
    func plain(arrival: String) async throws {
        let page = try await Self.fixture().respond(
            .get, "\(arrival)/sign-in", isTLS: false, authority: "app.test:8080")
        #expect(page.status == 403 && page.body.contains(#"href="https://app.test/developers/""#))
        #expect(page.body.contains(#"href="http://localhost:8080/developers/""#))
        #expect(!page.body.lowercased().contains("keybearer"))
    }
}
