import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import NIOEmbedded
import TestSupport
import Testing

@testable import Keybearer
@testable import KeybearerServer

/// How a request names its workspace, and what comes of it wherever it is asked.
struct WorkspaceCase: Sendable, CustomTestStringConvertible {
    /// The values of `X-Workspace-Id`; for introspection, `workspace_id`.
    var headers: [String] = []
    /// The workspace in the path.
    var path: String?
    let status: Int
    var code: String?

    var testDescription: String { "header \(headers), path \(path ?? "none")" }

    /// Stands for the account's own workspace.
    static let own = "{own}"

    static let all =
        [
            WorkspaceCase(status: 200),
            WorkspaceCase(headers: [own], status: 200),
            WorkspaceCase(path: own, status: 200),
            WorkspaceCase(headers: [own], path: own, status: 200),
            WorkspaceCase(headers: ["ws_nobody"], status: 404, code: "NOT_FOUND"),
            WorkspaceCase(path: "ws_nobody", status: 404, code: "NOT_FOUND"),
            WorkspaceCase(path: "nonsense", status: 404, code: "NOT_FOUND"),
            WorkspaceCase(headers: [own, own], status: 400, code: "BAD_REQUEST"),
            WorkspaceCase(headers: ["ws_nobody"], path: own, status: 400, code: "BAD_REQUEST"),
            WorkspaceCase(headers: ["nonsense"], path: own, status: 400, code: "BAD_REQUEST"),
            WorkspaceCase(headers: ["nonsense"], path: "nonsense", status: 400, code: "BAD_REQUEST"),
        ]
        + [
            "nonsense", "", "ws_", "ws_a-b", "usr_a1", "WS_a1", "ws_a1,ws_a1",
            "ws_" + String(repeating: "a", count: 41),
        ]
        .map { WorkspaceCase(headers: [$0], status: 400, code: "BAD_REQUEST") }
}

/// Where a key may be presented.
enum AdmissionSurface: String, CaseIterable, Sendable {
    case api, gate, middleware, introspection
}

/// ``Admission`` wherever a request names its workspace.
@Suite struct AdmissionTests {
    struct Context: KeyHolderRequestContext, Hummingbird.RequestContext {
        var coreContext: CoreRequestContextStorage
        var keyHolder: KeyHolder?
        let remoteAddress: SocketAddress? = nil

        init(source: ApplicationRequestContextSource) {
            coreContext = .init(source: source)
        }
    }

    private static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    @Test("A workspace is named in the same way everywhere", arguments: WorkspaceCase.all, AdmissionSurface.allCases)
    func workspaces(named: WorkspaceCase, surface: AdmissionSurface) async throws {
        // Introspection has one parameter and no path.
        if surface == .introspection, named.path != nil || named.headers.count > 1 { return }
        let fixture = try ServerFixture()
        let (account, key) = try await fixture.account("ada@example.com")
        let own = account.workspaces[0].workspace.id.rawValue
        var asked = named
        asked.headers = named.headers.map { $0 == WorkspaceCase.own ? own : $0 }
        asked.path = named.path == WorkspaceCase.own ? own : named.path
        // The first time the store decides, the second time memory.
        for _ in 0..<2 {
            let (status, code) = try await Self.present(key, asked, to: surface, of: fixture)
            #expect(status == named.status)
            #expect(code == named.code)
        }
        guard surface != .introspection else { return }
        let (status, code) = try await Self.present("tdc_nothing", asked, to: surface, of: fixture)
        #expect(status == 401, "what is wrong beyond the key is told only when the key passes")
        #expect(code == "UNAUTHORIZED")
    }

    @Test(
        "An imported key passes everywhere until it is regenerated", arguments: AdmissionSurface.allCases,
        ["acme-live-0123456789ABCDEF", String(repeating: "Acme.live~0123456789/ABC+", count: 5) + "=="])
    func importedKeys(surface: AdmissionSurface, key: String) async throws {
        let fixture = try ServerFixture()
        let account = try await fixture.importedAccount(key)
        let plain = WorkspaceCase(status: 200)
        func status(_ key: String) async throws -> Int {
            try await Self.present(
                surface == .introspection ? key.replacing("+", with: "%2B") : key, plain, to: surface, of: fixture
            ).0
        }
        for _ in 0..<2 { #expect(try await status(key) == 200) }
        #expect(try await Self.present(key.dropLast() + "x", plain, to: surface, of: fixture).1 != "UNAVAILABLE")
        let new = try await fixture.services.keys.regenerate(
            account.user.id, idempotencyKey: nil, by: .commandLine
        ).secret
        #expect(new.characters.hasPrefix("tdc_"))
        #expect(try await status(new.characters) == 200)
        guard surface != .introspection else { return }
        #expect(try await status(key) == 401)
    }

    /// The status and the error's code.
    private static func present(
        _ key: String, _ asked: WorkspaceCase, to surface: AdmissionSurface, of fixture: ServerFixture
    ) async throws -> (Int, String?) {
        var headers: HTTPFields = [.authorization: "Bearer \(key)"]
        for value in asked.headers { headers.append(HTTPField(name: HeaderName.workspaceID, value: value)) }
        switch surface {
        case .api:
            let path = asked.path.map { "/api/v1/workspaces/\($0)" } ?? "/api/v1/me"
            let response = try await fixture.respond(.get, path, headers)
            return (response.status, try object(response.body)["error"] as? String)
        case .gate: return try await gate(key, asked, fixture)
        case .middleware: return try await middleware(headers, asked, fixture)
        case .introspection:
            let token = try await fixture.services.operatorTokens.create(
                name: "billing", scopes: [.introspect], by: .commandLine
            ).secret.characters
            let workspace = asked.headers.first.map { "&workspace_id=\($0.replacing(",", with: "%2C"))" } ?? ""
            let response = try await fixture.respond(
                .post, "/operator/v1/introspect",
                [.authorization: "Bearer \(token)", .contentType: "application/x-www-form-urlencoded"],
                body: "token=\(key)\(workspace)")
            let body = try object(response.body)
            return (body["status"] as? Int ?? response.status, body["error"] as? String)
        }
    }

    private static func gate(
        _ key: String, _ asked: WorkspaceCase, _ fixture: ServerFixture
    ) async throws -> (Int, String?) {
        let node = try fixture.services.requireNode()
        await node.fence.step()
        let settings = GateSettings(
            address: .network(host: "127.0.0.1", port: 0), trustedProxies: [],
            workspacePattern: WorkspacePattern("/v1/workspaces/{workspace}"))
        let decision = GateDecision(node: node, clocks: .system, settings: settings, logger: logger)
        var responses = GateResponses(clocks: .system)
        let names = asked.headers.map { "X-Workspace-Id: \($0)\r\n" }.joined()
        let path = asked.path.map { "/v1/workspaces/\($0)" } ?? "/v1/things"
        let text = "GET /gate\(path) HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer \(key)\r\n\(names)"
        var out = ByteBuffer()
        let pending = try Array(text.utf8).withUnsafeBytes { bytes in
            let head = try #require(GateRequestHead(bytes, limits: .init()))
            let peer = GateDecision.Peer(address: IPAddress(v4: 0x7F00_0001), isTrusted: false)
            return decision.respond(head, in: bytes, from: peer, isStopping: false, with: &responses, to: &out)
        }
        if let pending {
            let verdict = await decision.verdictFromStore(pending)
            responses.write(
                verdict, of: pending.admission, format: pending.format, wall: Clocks.system.wall(), to: &out)
        }
        let response = String(buffer: out)
        let body = try object(String(response.drop { $0 != "{" }))
        return (try #require(Int(response.dropFirst(9).prefix(3))), body["error"] as? String)
    }

    private static func middleware(
        _ headers: HTTPFields, _ asked: WorkspaceCase, _ fixture: ServerFixture
    ) async throws -> (Int, String?) {
        await fixture.services.node?.fence.step()
        let router = Router(context: Context.self)
        router.add(
            middleware: try SecretKeyMiddleware(
                services: fixture.services, isTLS: true, workspaceParameter: "workspace", logger: logger))
        router.get("/things") { _, _ in "{}" }
        router.get("/workspaces/{workspace}") { _, _ in "{}" }
        let path = asked.path.map { "/workspaces/\($0)" } ?? "/things"
        let request = Request(
            head: HTTPRequest(method: .get, scheme: "https", authority: "a", path: path, headerFields: headers),
            body: RequestBody(buffer: ByteBuffer()))
        let context = Context(source: .init(channel: EmbeddedChannel(), logger: logger))
        let response = try await router.buildResponder().respond(to: request, context: context)
        let writer = BodyCollector()
        try await response.body.write(writer)
        return (response.status.code, try object(writer.text)["error"] as? String)
    }
}
