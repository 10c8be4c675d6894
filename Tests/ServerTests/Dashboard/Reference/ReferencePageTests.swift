import Foundation
import HTTPTypes
import TestSupport
import Testing

@testable import Keybearer
@testable import KeybearerServer

/// The ``ReferencePage`` with its ``ReferenceGroup`` and ``ReferenceNotes``, as ``ReferenceHandlers`` serve it, and each
/// ``ReferenceError``.
@Suite struct ReferencePageTests {
    private static let place = ReferencePage.Place(
        apiURL: "https://api.yourapp.com", operatorURL: "https://keys.internal", keyPrefix: "kbx_")

    private static func routes() throws -> [Route] {
        try RouteWalkTests.routes(try ServerFixture()).filter { $0.endpoint != nil }
    }

    private static func endpoints(_ page: ReferencePage) -> [ReferenceEndpoint] { page.groups.flatMap(\.endpoints) }

    @Test("It has every route that a program calls, once, and no other")
    func complete() throws {
        let routes = try Self.routes()
        let page = ReferencePage(routes: try RouteWalkTests.routes(try ServerFixture()), place: Self.place)
        let shown = Self.endpoints(page).map { "\($0.method) \($0.path)" }
        #expect(shown.sorted() == routes.map { "\($0.method.rawValue) \($0.path)" }.sorted())
        #expect(page.groups.map(\.id).first == "api" && Set(page.groups.map(\.id)).count == page.groups.count)
        #expect(Self.endpoints(page).allSatisfy { ($0.response == nil) == ($0.status == 204) })
        #expect(page.errors.map(\.code) == ErrorCode.allCases.map(\.rawValue))
        #expect(ReferenceNotes.all.keys.allSatisfy { Set(shown).contains($0) }, "a note of a route that is gone")
    }

    @Test("A listener's page has that listener's routes alone")
    func listeners() throws {
        let (operators, others) = try (
            Self.routes().filter { OperatorResponder.isOperator($0.path[...]) },
            Self.routes().filter { !OperatorResponder.isOperator($0.path[...]) }
        )
        let isOnPage = { (routes: [Route], text: String) throws in
            try RenderedPage(ReferencePage(routes: routes, place: Self.place)).html.contains(text)
        }
        for text in ["kbo_", "/operator/v1", "keys.internal", "If-Match"] {
            #expect(try !isOnPage(others, text) && isOnPage(operators, text), "\(text)")
        }
        for text in ["YOUR_API_KEY</code>", "/api/v1", "RateLimit-Policy"] {
            #expect(try isOnPage(others, text) && !isOnPage(operators, text), "\(text)")
        }
        #expect(try !isOnPage(others, "keybearer") && !isOnPage(operators, "keybearer"))
    }

    @Test("A path of a new kind is under its own word")
    func newKinds() throws {
        let route = Route.operatorToken(
            .get, "/operator/v1/night-shifts/{user}", for: .readUsers, returns: Success<UserJSON>.self,
            summary: "Get a shift"
        ) { _ -> Success<UserJSON> in throw KeybearerError.unavailable() }
        let page = ReferencePage(routes: [route], place: Self.place)
        #expect(page.groups.map(\.title) == ["Night shifts"] && Self.endpoints(page).count == 1)
    }

    @Test("It has no script, every heading has an anchor, and every anchor that is linked is there")
    func markup() throws {
        let page = try RenderedPage(ReferencePage(routes: try Self.routes(), place: Self.place))
        #expect(page.problems == [] && page.elements("script").isEmpty && page.elements("style").isEmpty)
        let ids = RenderedPage.Element.all(in: page.html).compactMap { $0["id"] }
        #expect(Set(ids).count == ids.count)
        for name in ["h1", "h2", "h3"] { #expect(page.elements(name).allSatisfy { $0["id"] != nil }, "\(name)") }
        let links = page.elements("a").compactMap { $0["href"] }.filter { $0.hasPrefix("#") }
        #expect(links.count > 100 && Set(links.map { String($0.dropFirst()) }).isSubset(of: ids))
        #expect(!page.html.contains("tdc_") && page.html.contains("kbx_YOUR_API_KEY"))
        #expect(!page.html.contains("1970-01-01") && !page.html.contains("data-now"))
    }

    @Test("It is served with an ETag, and not sent again to whoever has it")
    func served() async throws {
        let fixture = try ServerFixture()
        let page = try await fixture.respond(.get, "/docs")
        let tag = try #require(page.headers[.eTag])
        #expect(page.status == 200 && page.headers[.contentType] == "text/html; charset=utf-8")
        #expect(page.headers[.cacheControl] == "no-cache")
        let policy = page.headers[HeaderName.csp] ?? ""
        #expect(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"))
        #expect(!policy.contains("script-src"))
        for known in [tag, "W/\(tag)", "\"x\", \(tag)", "*"] {
            let again = try await fixture.respond(.get, "/docs", [.ifNoneMatch: known])
            #expect(again.status == 304 && again.body.isEmpty && again.headers[.eTag] == tag, "\(known)")
        }
        #expect(try await fixture.respond(.get, "/docs", [.ifNoneMatch: "\"x\""]).status == 200)
        let head = try await fixture.respond(.head, "/docs")
        #expect(head.status == 200 && head.body.isEmpty && head.headers[.eTag] == tag)
        // Without the setting the examples have the address that the browser used.
        #expect(page.body.contains("https://yourapp.com/api/v1/me") && !page.body.contains(".invalid"))
        let other = try await fixture.respond(.get, "/docs", authority: "other.example")
        #expect(other.body.contains("https://other.example/api/v1/me") && other.headers[.eTag] != tag)
        let hostile = try await fixture.respond(.get, "/docs", authority: "a\"><script>")
        #expect(!hostile.body.contains("<script"))
        let named = try ServerFixture { edge, _ in edge.publicURL = PublicURL("https://keys.example") }
        let fixed = try await named.respond(.get, "/docs")
        #expect(fixed.body.contains("https://keys.example/api/v1/me") && !fixed.body.contains("yourapp.com/api"))
        #expect(fixed.headers[.eTag] == (try await named.respond(.get, "/docs", authority: "x.example")).headers[.eTag])
    }

    @Test("The failures are what the server writes")
    func failures() async throws {
        let fixture = try ServerFixture()
        let client = try await OperatorClient(fixture)
        let (_, key) = try await fixture.account("ada@example.com")
        let (_, locked) = try await fixture.account("eve@example.com", isEntitled: false)
        let reader = try await OperatorClient(fixture, [.readUsers])
        let (limited, limitedKey) = try await fixture.account("max@example.com")
        try await fixture.services.keys.setAllowedNetworks(
            AllowedNetworks(parsing: ["203.0.113.0/24"]), of: limited.user.id, by: .commandLine)
        func asked(_ method: HTTPRequest.Method, _ path: String, key: String?, body: String = "", json: Bool = true)
            async throws -> String
        {
            var headers = HTTPFields()
            if let key { headers[.authorization] = "Bearer \(key)" }
            if !body.isEmpty { headers[.contentType] = json ? "application/json" : "text/plain" }
            return try await fixture.respond(method, path, headers, body: body).body
        }
        let users = "/operator/v1/users"
        let person = #"{"email":"ada@example.com","name":"Ada"}"#
        let seen: [ErrorCode: String] = [
            .badRequest: try await asked(.get, "/api/v1/workspaces?limit=0", key: key),
            .unauthorized: try await asked(.get, "/api/v1/me", key: nil),
            .featureLocked: try await asked(.get, "/api/v1/me", key: locked),
            .forbidden: try await asked(.post, users, key: reader.secret, body: person),
            .httpsRequired: try await fixture.respond(.get, "/api/v1/me", peer: "192.0.2.9", isTLS: false).body,
            .addressNotAllowed: try await fixture.respond(
                .get, "/api/v1/me", [.authorization: "Bearer \(limitedKey)"], peer: "198.51.100.7"
            ).body,
            .notFound: try await asked(.get, "/api/v1/nothing", key: key),
            .methodNotAllowed: try await asked(.delete, "/api/v1/me", key: key),
            .conflict: try await asked(.post, users, key: client.secret, body: person),
            .payloadTooLarge: try await asked(
                .post, "/api/v1/key/revoke", key: key, body: String(repeating: " ", count: 16_385)),
            .unsupportedMediaType: try await asked(.post, users, key: client.secret, body: person, json: false),
            .validationFailed: try await asked(
                .post, users, key: client.secret, body: #"{"email":"b@example.com","name":"Bo","nmae":"Bo"}"#),
        ]
        for (code, body) in seen {
            let example = ReferenceError.example(of: code)
            let found = try object(body)
            #expect(found["error"] as? String == code.rawValue, "\(body)")
            #expect(found["message"] as? String == example.message, "\(body)")
            #expect((found["fields"] as? [String: String] ?? [:]) == example.fields, "\(body)")
            let shown = try object(ReferenceError(code).response)
            #expect(Set(shown.keys) == Set(found.keys), "\(body)")
        }
        #expect(seen.count == ErrorCode.allCases.count - 4, "all but those that need a broken server, or an hour")
    }
}
