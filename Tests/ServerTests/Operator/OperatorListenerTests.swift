import Foundation
import HTTPTypes
import NIOCore
import NIOHTTP1
import NIOPosix
import TestSupport
import Testing

@testable import Keybearer
@testable import KeybearerServer

/// The ``InternalListener`` of the operator API: with `operator-address` the operator API is there alone (``ServedRoutes``).
@Suite struct OperatorListenerTests {
    private static func fixture(
        _ address: GateSettings.Address = .network(host: "127.0.0.1", port: 0),
        tls: (certificateFile: String, keyFile: String)? = nil
    ) throws -> ServerFixture {
        try ServerFixture(tls: tls) { edge, _ in edge.operatorAddress = address }
    }

    @Test("Each path is on one of the two listeners and 404 on the other, whoever asks", arguments: [true, false])
    func apart(isKnown: Bool) async throws {
        let fixture = try Self.fixture()
        let client = try await OperatorClient(fixture)
        let (_, key) = try await fixture.account("ada@example.com")
        try await fixture.listening { wire in
            let paths = try fixture.server().makeRoutes().map { route in
                route.path.replacing("{user}", with: "ext:none").replacing("{workspace}", with: "ext:none")
                    .replacing("{plan}", with: "none").replacing("{workspaceID}", with: "ws_none")
                    .replacing("{sessionID}", with: "ses_none")
            }
            for path in Set(paths + ["/operator/", "/operator/v1", "/operator/v1/nothing", "/nothing"]) {
                let isOperators = path.hasPrefix("/operator/")
                let headers = isKnown ? [("Authorization", "Bearer \(isOperators ? client.secret : key)")] : []
                var request = WireRequest(path: path, headers: headers)
                let open = try await wire.send(request, over: .http1)
                let own = try await WireClient(port: wire.operatorPort).send(request, over: .http1)
                if ServedRoutes.everywhere.contains(path) {
                    // There is no logo and no colour of a product's here.
                    let isThere = [Routes.document, Routes.reference, Routes.stylesheet].contains(path)
                    #expect(open.status == own.status && (open.status == 200) == isThere, "\(path)")
                    continue
                }
                let (elsewhere, here) = isOperators ? (open, own) : (own, open)
                #expect(elsewhere.status == 404, "\(path)")
                #expect(elsewhere.text.contains(#""error":"NOT_FOUND""#), "\(path) \(elsewhere.text)")
                #expect(elsewhere.values("www-authenticate").isEmpty)
                if !isKnown, isOperators { #expect(here.status == 401, "\(path)") }
                request.method = "POST"
                let posted = try await WireClient(port: isOperators ? wire.port : wire.operatorPort)
                    .send(request, over: .http1)
                #expect(posted.status == 404, "\(path)")
            }
            let probes = ["/healthz", "/readyz"]
            for path in probes {
                #expect(try await wire.send(WireRequest(path: path), over: .http1).status == 200, "\(path)")
            }
        }
    }

    @Test("Each listener's document describes its own paths alone")
    func documents() async throws {
        let fixture = try Self.fixture()
        try await fixture.listening { wire in
            func paths(_ client: WireClient) async throws -> Set<String> {
                let text = try await client.send(WireRequest(path: Routes.document), over: .http1).text
                return Set(try #require(try object(text)["paths"] as? [String: Any]).keys)
            }
            let open = try await paths(wire)
            let own = try await paths(WireClient(port: wire.operatorPort))
            #expect(open.contains("/api/v1/me") && !open.contains { $0.hasPrefix("/operator/") })
            #expect(own.contains("/operator/v1/batch") && own.allSatisfy { $0.hasPrefix("/operator/") })
            let all = try await ServerFixture().respond(.get, Routes.document).body
            #expect(Set(try #require(try object(all)["paths"] as? [String: Any]).keys) == open.union(own))
        }
    }

    @Test("The operator API works there as it does on the public listener, in batches too; portal links lead elsewhere")
    func works() async throws {
        let fixture = try Self.fixture()
        let client = try await OperatorClient(fixture)
        try await fixture.listening { wire in
            let own = WireClient(port: wire.operatorPort)
            func send(_ method: String, _ path: String, _ body: String) async throws -> WireResponse {
                try await own.send(
                    WireRequest(
                        method: method, path: "/operator/v1" + path,
                        headers: [
                            ("Authorization", "Bearer \(client.secret)"), ("Content-Type", "application/json"),
                        ], body: Array(body.utf8)), over: .http1)
            }
            let made = try await send("PUT", "/users/ext:42", #"{"email":"42@example.com","name":"Ada"}"#)
            #expect(made.status == 200)
            let batch = try await send(
                "POST", "/batch", #"{"operations":[{"method":"POST","path":"/users/ext:42/disable"}]}"#)
            #expect(batch.status == 200 && batch.text.contains(#""status":"disabled""#))
            let link = try await send("POST", "/portal-links", #"{"user":"ext:42"}"#)
            #expect(link.status == 409 && link.text.contains("public-url"), "\(link.text)")
        }
    }

    @Test("The same TLS, or plain HTTP from this machine alone")
    func encrypted() async throws {
        let certificate = try ServerFixture.certificate()
        let fixture = try Self.fixture(tls: (certificate.certificateFile, certificate.keyFile))
        let client = try await OperatorClient(fixture)
        try await fixture.listening { wire in
            let request = WireRequest(
                path: "/operator/v1/users", headers: [("Authorization", "Bearer \(client.secret)")])
            for kind in [Wire.http1TLS, .http2] {
                let own = try await WireClient(port: wire.operatorPort).send(request, over: kind)
                #expect(own.status == 200, "\(kind)")
                #expect(try await wire.send(request, over: kind).status == 404, "\(kind)")
            }
        }
        let plain = try Self.fixture()
        let edge = try plain.server().makeResponder(for: .operatorsAlone)
        for path in ["/operator/v1/users", "/", "/api/v1/me"] {
            let response = try await plain.respond(.get, path, peer: "192.0.2.1", isTLS: false, through: edge)
            #expect(response.status == 403 && response.body.contains("HTTPS_REQUIRED"), "\(path)")
        }
    }

    @Test("On a Unix socket, whose file only this listener takes and removes")
    func socket() async throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("operators.sock")
        let fixture = try Self.fixture(.unixSocket(path: path))
        let client = try await OperatorClient(fixture)
        try await fixture.listening { wire in
            #expect(wire.operatorPort == 0)
            let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? NSNumber
            #expect(mode?.intValue == 0o660)
            let curl = try await onThread {
                try CommandRunner.run(
                    program: "curl",
                    [
                        "-sS", "--unix-socket", path, "-H", "Authorization: Bearer \(client.secret)",
                        "http://localhost/operator/v1/users",
                    ])
            }
            #expect(curl.stdout.contains(#""ok":true"#), "\(curl.stdout) \(curl.stderr)")
            // A second server does not take it over.
            let other = try Self.fixture(.unixSocket(path: path))
            let refused = await #expect(throws: (any Error).self) { try await other.listening { _ in } }
            #expect(refused != nil && FileManager.default.fileExists(atPath: path))
        }
        #expect(!FileManager.default.fileExists(atPath: path), "it is removed at the stop")
    }
}
