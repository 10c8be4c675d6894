import Foundation
import HTTPTypes
import TestSupport
import Testing

@testable import Keybearer
@testable import KeybearerServer

/// The ``FramePolicy`` of pages, and the ``SessionCookie`` of frames: portal pages alone, with a session of their own.
@Suite struct FramePolicyTests {
    private static let origins = ["https://app.example", "https://app.example:8443"].compactMap { Origin($0) }
    private static let listed = "frame-ancestors https://app.example https://app.example:8443;"

    private static func fixture(clocks: Clocks = .system, isOpen: Bool = true) throws -> ServerFixture {
        let place = try AllowedReturnURL(parsing: "https://app.example/back")
        return try ServerFixture(clocks: clocks) {
            $0.embedOrigins = isOpen ? origins : []
            $1.portalReturnURLs = [place]
        }
    }

    /// Whether the listed pages may show this one, and no other page.
    private static func isListed(_ reply: PortalBrowser.Reply) -> Bool {
        let policy = reply.headers[HeaderName.csp] ?? ""
        return policy.contains(listed) && !policy.contains(FramePolicy.nobody) && !hasFrameOptions(reply)
    }

    private static func isNobodys(_ reply: PortalBrowser.Reply) -> Bool {
        reply.headers[HeaderName.csp]?.contains(FramePolicy.nobody + ";") == true && !hasFrameOptions(reply)
    }

    private static func hasFrameOptions(_ reply: PortalBrowser.Reply) -> Bool {
        reply.headers.contains { $0.name.canonicalName == "x-frame-options" }
    }

    private static func keyPath(_ account: Account) -> String {
        "/workspaces/\(account.workspaces[0].workspace.id)/api-webhooks"
    }

    @Test("The pages of a portal session name the listed origins, in both places", arguments: [false, true])
    func portalPages(isFrame: Bool) async throws {
        let fixture = try Self.fixture()
        let client = try await OperatorClient(fixture)
        let (account, key) = try await fixture.account("ada@example.com")
        let path = Self.keyPath(account)
        var browser = PortalBrowser(fixture, in: isFrame ? .frame : .window)
        let code = try await client.portalCode(account.user.id, PortalHandlersTests.back)
        #expect(Self.isListed(try await browser.get("/portal?code=\(code)")))
        #expect(Self.isListed(try await browser.get("/portal?code=kbl_x")))
        #expect(try await browser.open(code).status == 303)
        let pages = [(path, 200), (path + "/regenerate", 200), ("/confirm", 200), ("/account", 403), ("/nothing", 404)]
        for (page, status) in pages {
            let reply = try await browser.get(page)
            #expect(reply.status == status && Self.isListed(reply), "\(page)")
        }
        let revealed = try await browser.post(path + "/reveal")
        #expect(Self.isListed(revealed) && revealed.body.contains(key))
        #expect(try await browser.get(path).body.contains(#"href="https://app.example/back?x=1#top" target="_top""#))
        let regenerated = try await browser.post(path + "/regenerate")
        #expect(regenerated.status == 303 && regenerated.headers[.location]?.hasPrefix(path) == true)
    }

    @Test("No page of a session that a sign-in started, and none without a session, is ever framed")
    func otherPages() async throws {
        let fixture = try Self.fixture()
        let (account, key) = try await fixture.account("ada@example.com")
        let path = Self.keyPath(account)
        let session = try await fixture.services.sessions.start(for: account, from: .localSocket, userAgent: "")
        var browser = PortalBrowser(fixture)
        for page in ["/sign-in", "/sign-up"] { #expect(Self.isNobodys(try await browser.get(page)), "\(page)") }
        browser.cookie = session.token.characters
        for page in [path, path + "/regenerate", "/account", "/confirm", "/nothing", "/sign-in"] {
            #expect(Self.isNobodys(try await browser.get(page)), "\(page)")
        }
        #expect(Self.isNobodys(try await browser.post(path + "/reveal")))
        // An embedder of the same site gets the window's cookie too, and a frame's cookie could hold any token.
        let both = [SessionCookie.name, SessionCookie.frameName].map { "\($0)=\(session.token.characters)" }
        for cookie in both + [both.joined(separator: "; ")] {
            for destination in ["iframe", "frame", "embed", "object", "fencedframe"] {
                for page in [path, "/account", "/confirm", "/", "/sign-in", "/sign-up", "/assets/dashboard.js"] {
                    let reply = try await fixture.respond(
                        .get, page, [.cookie: cookie, HeaderName.fetchDestination: destination])
                    #expect(reply.status == 410 && !reply.body.contains("ada@example.com"), "\(destination) \(page)")
                }
                let reveal = try await fixture.respond(
                    .post, path + "/reveal",
                    [
                        .cookie: cookie, HeaderName.fetchDestination: destination, HeaderName.fetchSite: "same-origin",
                        .contentType: "application/x-www-form-urlencoded",
                    ])
                #expect(reveal.status == 410 && !reveal.body.contains(key))
            }
        }
        #expect(try await fixture.services.sessions.find(session.token) != nil)
    }

    @Test("Without the setting nothing is framed, and no frame gets a session")
    func closed() async throws {
        let fixture = try Self.fixture(isOpen: false)
        let client = try await OperatorClient(fixture)
        let (account, _) = try await fixture.account("ada@example.com")
        let code = try await client.portalCode(account.user.id)
        var frame = PortalBrowser(fixture, in: .frame)
        let page = try await frame.get("/portal?code=\(code)")
        #expect(page.status == 403 && Self.isNobodys(page))
        #expect(try await frame.open(code).status == 403 && frame.cookie == nil)
        var window = PortalBrowser(fixture)
        #expect(Self.isNobodys(try await window.get("/portal?code=\(code)")))
        #expect(try await window.open(code).status == 303)
        #expect(Self.isNobodys(try await window.get(Self.keyPath(account))))
    }

    @Test("A frame's session has a cookie of its own: neither place replaces or ends the other's")
    func cookies() async throws {
        let fixture = try Self.fixture()
        let client = try await OperatorClient(fixture)
        let (account, key) = try await fixture.account("ada@example.com")
        let path = Self.keyPath(account)
        var window = PortalBrowser(fixture)
        let opened = try await window.open(try await client.portalCode(account.user.id))
        #expect(opened.headers[.setCookie]?.hasPrefix("__Host-keybearer=") == true)
        #expect(opened.headers[.setCookie]?.contains("Partitioned") == false)
        var frame = PortalBrowser(fixture, in: .frame)
        let framed = try await frame.open(try await client.portalCode(account.user.id, PortalHandlersTests.back))
        let parts = framed.headers[.setCookie]?.components(separatedBy: "; ") ?? []
        #expect(parts.first == "__Host-keybearer-frame=\(frame.cookie ?? "")")
        let attributes: Set = ["Path=/", "Secure", "HttpOnly", "SameSite=None", "Partitioned", "Max-Age=3600"]
        #expect(Set(parts.dropFirst()) == attributes)
        #expect(try await fixture.services.sessions.list(of: account.user.id).count == 2)
        // With both cookies a request has the session of its place.
        let cookies = "\(SessionCookie.name)=\(window.cookie ?? ""); \(SessionCookie.frameName)=\(frame.cookie ?? "")"
        for (headers, isFrame) in [
            ([HeaderName.fetchDestination: "iframe"], true), ([HeaderName.shownInFrame: "1"], true),
            ([HeaderName.fetchDestination: "document"], false), ([HeaderName.fetchDestination: "empty"], false),
            ([:], false),
        ] as [(HTTPFields, Bool)] {
            var headers = headers
            headers[.cookie] = cookies
            let page = try await fixture.respond(.get, path, headers)
            #expect(page.status == 200 && page.body.contains("Back to") == isFrame)
        }
        let script: HTTPFields = [
            .cookie: cookies, HeaderName.fetchSite: "same-origin", HeaderName.fetchDestination: "empty",
            HeaderName.shownInFrame: "1", .accept: "application/json",
            .contentType: "application/x-www-form-urlencoded",
        ]
        #expect(try await fixture.respond(.post, path + "/reveal", script).body.contains(key))
        let signedOut = try await frame.post("/sign-out")
        #expect(signedOut.status == 200 && Self.isListed(signedOut) && frame.cookie?.isEmpty == true)
        #expect(signedOut.headers[.setCookie]?.hasPrefix("__Host-keybearer-frame=; ") == true)
        #expect(signedOut.body.contains(#"href="https://app.example/back?x=1#top" target="_top""#))
        #expect(try await window.get(path).status == 200)
        #expect(try await fixture.respond(.post, path + "/reveal", script).status == 401)
    }

    @Test("A form of any other origin changes nothing, whatever cookie the browser sends with it")
    func crossSite() async throws {
        let fixture = try Self.fixture()
        let client = try await OperatorClient(fixture)
        let (account, key) = try await fixture.account("ada@example.com")
        var frame = PortalBrowser(fixture, in: .frame)
        _ = try await frame.open(try await client.portalCode(account.user.id))
        let code = try await client.portalCode(account.user.id, #""expiresIn":900"#)
        let token = try #require(SessionToken(parsing: frame.cookie ?? ""))
        let places: [HTTPFields] = [
            [HeaderName.fetchSite: "cross-site"], [HeaderName.fetchSite: "same-site"], [HeaderName.fetchSite: "none"],
            [HeaderName.fetchSite: "cross-site", .origin: "https://yourapp.com"], [.origin: "https://app.example"],
            [.origin: "null"], [.origin: "http://yourapp.com"], [:],
        ]
        let posts = try RouteWalkTests.routes(fixture).filter {
            guard $0.method != .get else { return false }
            if case .session = $0.access { return true }
            return $0.path == Routes.portal
        }
        #expect(posts.count >= 7)
        for route in posts {
            let path = route.path.replacing("{workspaceID}", with: account.workspaces[0].workspace.id.rawValue)
            for place in places {
                for destination in ["iframe", "document", "empty"] {
                    var headers = place
                    headers[HeaderName.fetchDestination] = destination
                    headers[.cookie] = [SessionCookie.name, SessionCookie.frameName].map { "\($0)=\(token.characters)" }
                        .joined(separator: "; ")
                    headers[.contentType] = "application/x-www-form-urlencoded"
                    let reply = try await fixture.respond(.post, path, headers, body: "code=\(code)")
                    #expect(reply.status == 403 && reply.headers[.setCookie] == nil, "\(path) \(place)")
                    #expect(!reply.body.contains(key))
                }
            }
        }
        #expect(try await fixture.services.sessions.find(token) != nil)
        #expect(try await fixture.services.keys.reveal(account.user.id, by: .commandLine).characters == key)
        #expect(try await frame.open(code).status == 303, "the link was not used")
    }

    @Test("A session that ended in a frame: a page with a link for the whole window, and no redirect")
    func ended() async throws {
        let clock = TestClock()
        let fixture = try Self.fixture(clocks: clock.clocks)
        let client = try await OperatorClient(fixture)
        let (account, _) = try await fixture.account("ada@example.com")
        let path = Self.keyPath(account)
        var frame = PortalBrowser(fixture, in: .frame)
        let code = try await client.portalCode(account.user.id, PortalHandlersTests.back)
        _ = try await frame.open(code)
        let again = try await frame.get("/portal?code=\(code)")
        #expect(again.status == 303 && again.headers[.location] == path, "the frame is loaded again")
        let other = PortalBrowser(fixture, in: .frame)
        #expect(try await other.get("/portal?code=\(code)").status == 410)
        clock.advance(by: .seconds(3_600))
        let link = PortalHandlersTests.expired.replacing("&", with: "&amp;")
        for page in [path, "/", "/sign-in?next=\(path)&ended=1", "/portal?code=\(code)"] {
            let reply = try await frame.get(page)
            #expect(reply.status == 410 && Self.isListed(reply), "\(page)")
            #expect(reply.headers[HeaderName.refresh] == nil && reply.headers[.location] == nil)
            #expect(reply.body.contains(#"href="\#(link)" target="_top""#), "\(page)")
        }
        let posted = try await frame.post(path + "/regenerate")
        #expect(posted.status == 410 && posted.headers[HeaderName.refresh] == nil)
        #expect(posted.headers[.setCookie] == nil, "loaded again, it has the same link")
        let nobody = try await PortalBrowser(fixture, in: .frame).get(path)
        #expect(nobody.status == 410 && nobody.body.contains("Load the page around this one again"))
    }
}
