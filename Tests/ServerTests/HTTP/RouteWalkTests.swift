import Foundation
import HTTPTypes
import TestSupport
import Testing

@testable import Keybearer
@testable import KeybearerServer

/// Every ``Route``, with the ``RouteHandlers`` behind it, is closed but those of the named list.
@Suite struct RouteWalkTests {
    /// The named list of what needs no credentials. A route that joins it must be written here too.
    static let open: Set<String> = [
        "GET /healthz", "GET /readyz", "GET /openapi.json", "GET /assets/dashboard.css", "GET /assets/dashboard.js",
        "GET /assets/brand.css", "GET /assets/logo", "GET /docs", "GET /sign-in",
        "POST /sign-in", "GET /sign-in/code", "POST /sign-in/code", "GET /sign-up", "POST /sign-up", "GET /portal",
        "POST /portal", "GET /sign-in/oidc", "GET /sign-in/oidc/callback", "GET /invitations", "POST /invitations/ask",
        "GET /verify-email", "POST /verify-email", "GET /forgot-password", "POST /forgot-password",
        "GET /reset-password", "POST /reset-password",
    ]
    static let methods: [HTTPRequest.Method] = [
        .get, .head, .post, .put, .patch, .delete, .options, .trace, .init("PROPFIND") ?? .get, .init("FOO") ?? .get,
    ]

    @Test("The open routes are exactly the named list")
    func namedList() throws {
        let fixture = try ServerFixture()
        let open = try Self.routes(fixture).filter {
            switch $0.access {
            case .probe, .anyone: true
            case .session, .key, .operatorToken: false
            }
        }
        #expect(Set(open.map { "\($0.method.rawValue) \($0.path)" }) == Self.open)
    }

    @Test("Every other route, method, doubled slash and escape refuses a request without credentials")
    func walk() async throws {
        let fixture = try ServerFixture()
        let (account, _) = try await fixture.account("ada@example.com")
        let workspace = account.workspaces[0].workspace.id.rawValue
        let openPaths = Set(Self.open.map { $0.split(separator: " ")[1] }.map(String.init))
        var count = 0
        for route in try Self.routes(fixture) {
            let filled = Self.filled(route.path, workspace)
            for path in Self.spellings(of: filled) {
                for method in Self.methods {
                    if openPaths.contains(String(path.prefix { $0 != "?" })) { continue }
                    let response = try await fixture.respond(
                        method, path, [HeaderName.fetchSite: "same-origin", .origin: "https://yourapp.com"])
                    count += 1
                    let isRefusal =
                        response.status == 401 || response.status == 403
                        || (response.status == 303 && response.headers[.location]?.hasPrefix("/sign-in") == true)
                    #expect(isRefusal, "\(method.rawValue) \(path) gave \(response.status)")
                    #expect(!response.body.contains("tdc_"), "\(method.rawValue) \(path)")
                    if response.status == 401 && RouteTable.isAPI(path[...]) {
                        #expect(response.headers[.wwwAuthenticate] != nil, "\(method.rawValue) \(path)")
                    }
                }
            }
        }
        #expect(count > 1_500)
    }

    @Test("A route takes its own kind of credential, and none of the others")
    func credentials() async throws {
        let fixture = try ServerFixture()
        let (account, key) = try await fixture.account("ada@example.com")
        let workspace = account.workspaces[0].workspace.id.rawValue
        let token = try await fixture.services.operatorTokens.create(
            name: "billing", scopes: [.introspect], by: .commandLine
        ).secret.characters
        let session = try await fixture.services.sessions.start(for: account, from: IPAddress(v4: 1), userAgent: "test")
        let cookie = "\(SessionCookie.name)=\(session.token.characters)"
        let all: [String: HTTPFields] = [
            "key": [.authorization: "Bearer \(key)"], "operator token": [.authorization: "Bearer \(token)"],
            "session": [.cookie: cookie],
        ]
        for route in try Self.routes(fixture) {
            let own: String
            switch route.access {
            case .key: own = "key"
            case .operatorToken: own = "operator token"
            case .session: own = "session"
            case .probe, .anyone: continue
            }
            let path = Self.filled(route.path, workspace)
            for (name, credential) in all where name != own {
                var headers = credential
                headers[HeaderName.fetchSite] = "same-origin"
                headers[.origin] = "https://yourapp.com"
                let response = try await fixture.respond(route.method, path, headers)
                let isRefusal =
                    response.status == 401
                    || (response.status == 303 && response.headers[.location]?.hasPrefix("/sign-in") == true)
                #expect(isRefusal, "\(route.method.rawValue) \(path) with a \(name) gave \(response.status)")
            }
        }
    }

    @Test("Open paths answer other methods with 405 or a refusal, never with content")
    func openPathsOtherMethods() async throws {
        let fixture = try ServerFixture()
        for path in Set(Self.open.map { String($0.split(separator: " ")[1]) }) {
            for method in Self.methods where !Self.open.contains("\(method.rawValue) \(path)") && method != .head {
                let response = try await fixture.respond(method, path, [HeaderName.fetchSite: "same-origin"])
                #expect(
                    [303, 401, 403, 405].contains(response.status), "\(method.rawValue) \(path) gave \(response.status)"
                )
            }
        }
    }

    /// A route's path with values for its parameters.
    private static func filled(_ path: String, _ workspace: String) -> String {
        path.replacing("{workspaceID}", with: workspace).replacing("{sessionID}", with: "ses_a1")
            .replacing("{userID}", with: "usr_a1").replacing("{invitationID}", with: "inv_a1")
            .replacing("{workspace}", with: workspace).replacing("{user}", with: "ext:42")
            .replacing("{plan}", with: "pro")
    }

    /// A path, and others that a careless reader would take for it.
    private static func spellings(of path: String) -> [String] {
        let escaped = path.replacing("a", with: "%61")
        return [
            path, path + "/", "/" + path, path.replacing("/", with: "//"), escaped, path.replacing("/", with: "/./"),
            "/x/.." + path, path + "?a=b", path.uppercased(), path + "%00", path + ";v=1",
        ].filter { $0 != "/" || path == "/" }
    }

    static func routes(_ fixture: ServerFixture) throws -> [Route] { try fixture.server().makeRoutes() }
}
