import HTTPTypes
import HummingbirdCore
import NIOCore
import Testing

@testable import Keybearer
@testable import KeybearerServer

extension Place {
    /// Below a path of `app.test`.
    static let developers = Place(publicURL: PublicURL("https://app.test/developers"))
}

/// A ``Place``: paths as the server knows them, and as its clients see them.
@Suite struct PlaceTests {
    private func context(_ authority: String, isHTTPS: Bool = true) -> RequestContext {
        let head = HTTPRequest(method: .get, scheme: "https", authority: authority, path: "/")
        var context = RequestContext(
            request: Request(head: head, body: RequestBody(buffer: ByteBuffer())), client: .localSocket,
            requestID: "req_1", parameters: [:])
        context.isHTTPS = isHTTPS
        return context
    }

    @Test("Paths and URLs begin where clients reach the server, and those of the API where it is")
    func outward() {
        let anywhere = context("internal:8080")
        #expect(Place().path("/account") == "/account" && Place.developers.path("/account") == "/developers/account")
        #expect(Place().url("/portal", for: anywhere) == "https://internal:8080/portal")
        #expect(Place().apiURL(for: context("internal:8080", isHTTPS: false)) == "http://internal:8080")
        #expect(Place.developers.url("/portal", for: anywhere) == "https://app.test/developers/portal")
        #expect(Place.developers.apiURL(for: anywhere) == "https://app.test/developers")
        let both = Place(publicURL: PublicURL("https://app.test/d"), apiURL: PublicURL("https://api.app.test"))
        #expect(both.apiURL(for: anywhere) == "https://api.app.test")
        #expect(both.url("/", for: anywhere) == "https://app.test/d/")
        #expect(Place(apiURL: PublicURL("https://api.app.test")).url("/", for: anywhere) == "https://internal:8080/")
    }

    @Test(
        "A request has its local path, whether or not a proxy stripped the rest",
        arguments: [
            ("/developers/sign-in", "/sign-in"), ("/sign-in", "/sign-in"), ("/developers", "/"), ("/developers/", "/"),
            ("/developers?a=b", "/?a=b"), ("/developers/?a=b", "/?a=b"),
            ("/developers/a?b=/developers", "/a?b=/developers"),
            // Nothing else is read as that path.
            ("/developersx/a", "/developersx/a"), ("/Developers/a", "/Developers/a"),
            ("//developers/a", "//developers/a"),
            ("/%64evelopers/a", "/%64evelopers/a"), ("/x/developers/a", "/x/developers/a"),
            ("developers/a", "developers/a"),
            // And only once.
            ("/developers/developers/a", "/developers/a"), ("/developers//a", "//a"),
        ])
    func inward(path: String, local: String) {
        let head = HTTPRequest(method: .get, scheme: "https", authority: "app.test", path: path)
        #expect(Place.developers.withLocalPath(head).path == local)
        #expect(Place().withLocalPath(head) == head)
    }

    @Test(
        "A form leads to a path of this server, with or without the base",
        arguments: [
            ("/account", "/account"), ("/developers/account?a=b#c", "/account?a=b#c"), ("/developers", "/"),
            ("/workspaces/ws_1/api-webhooks", "/workspaces/ws_1/api-webhooks"), ("/...", "/..."),
            ("/a?b=../c", "/a?b=../c"),
        ])
    func form(text: String, local: String) {
        #expect(Place.developers.localPath(text) == local)
    }

    @Test(
        "And nowhere else",
        arguments: [
            nil, "", "account", "https://evil.test/", "//evil.test", "/\\evil.test", "/a\\..\\b", "/\\\\evil.test",
            "/a b",
            "/a\nb", "/é", "/developers/..", "/developers/../admin", "/developers/a/%2E%2e/../x", "/%2e%2e/admin",
            "/./a",
            "/developers//evil.test", "/\(String(repeating: "a", count: 1_000))",
        ])
    func formElsewhere(text: String?) {
        #expect(Place.developers.localPath(text) == nil)
        if text?.contains("developers//") != true { #expect(Place().localPath(text) == nil) }
    }

    @Test("No path of the server's own can be the base: a request could mean two things")
    func ownSegments() throws {
        let routes = try RouteWalkTests.routes(try ServerFixture())
        for route in routes {
            guard let first = route.path.split(separator: "/").first else { continue }
            #expect(Place.ownSegments.contains(String(first)), "\(route.path): add \(first) to Place.ownSegments")
        }
        for path in ["/api", "/API/keys", "/sign-in", "/workspaces/a"] {
            let url = try #require(PublicURL("https://app.test\(path)"))
            #expect(url.problemAsPlace?.contains("one of the server's own paths") == true, "\(path)")
            let fixture = try ServerFixture { edge, _ in edge.publicURL = url }
            #expect(throws: KeybearerError.self) { try fixture.server() }
        }
        #expect(PublicURL("https://app.test/developers/api")?.problemAsPlace == nil)
    }
}
