import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Keybearer
import KeybearerSQLite
import KeybearerServer
import Logging
import NIOCore
import TestSupport
import Testing

/// The ``SecretKeyMiddleware``, its ``NodeService`` and the ``KeyHolder``. Uses the library as an application does: by
/// its public declarations alone.
@Suite struct MiddlewareTests {
    struct Context: KeyHolderRequestContext, RequestContext {
        var coreContext: CoreRequestContextStorage
        var keyHolder: KeyHolder?
        let remoteAddress: SocketAddress?

        init(source: ApplicationRequestContextSource) {
            coreContext = .init(source: source)
            remoteAddress = source.channel.remoteAddress
        }
    }

    private struct Guarded {
        let directory: TemporaryDirectory
        let services: Services
        let key: String
        let account: Account
        let application: any ApplicationProtocol
    }

    private func guarded(isTLS: Bool = false) async throws -> Guarded {
        let directory = try TemporaryDirectory()
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let ring = try MasterKeyRing.generate(from: .system)
        var settings = Services.Settings()
        settings.passwordCost = 10
        let services = Services(
            store: try SQLiteStore.open(path: directory.file("keybearer.db"), role: .server), ring: ring,
            loadRing: { ring }, settings: settings, role: .server,
            logger: logger)
        let account = try await services.accounts.create(
            name: "Ada", email: "ada@example.com", password: Password("long enough secret"), by: .commandLine)
        try await services.workspaces.setPlan(
            PlanID(rawValue: "pro"), of: account.workspaces[0].workspace.id, by: .commandLine)
        let key = try await services.keys.reveal(account.user.id, by: .commandLine).characters
        let router = Router(context: Context.self)
        router.get("/open") { _, _ in "open" }
        router.add(middleware: try SecretKeyMiddleware(services: services, isTLS: isTLS, logger: logger))
        router.post("/things") { request, context in
            let holder = try context.keyHolder ?? { throw HTTPError(.internalServerError) }()
            let sawKey = request.headers[.authorization] != nil
            return "\(holder.userID) \(holder.workspaceID?.rawValue ?? "-") \(holder.keyPrefix) \(sawKey)"
        }
        let application = Application(
            router: router, configuration: .init(address: .hostname("127.0.0.1", port: 0)),
            services: [try NodeService(services)], logger: logger)
        return Guarded(
            directory: directory, services: services, key: key, account: account, application: application)
    }

    @Test("It lets through who may pass, says who that is, and keeps the key to itself")
    func allowed() async throws {
        let guarded = try await guarded()
        let workspace = guarded.account.workspaces[0].workspace.id.rawValue
        let name = try #require(HTTPField.Name("X-Workspace-Id"))
        try await guarded.application.test(.live) { client in
            for (headers, named) in [(HTTPFields(), "-"), ([name: workspace] as HTTPFields, workspace)] {
                var headers = headers
                headers[.authorization] = "Bearer \(guarded.key)"
                let response = try await client.execute(uri: "/things", method: .post, headers: headers)
                #expect(response.status == .ok)
                let expected = "\(guarded.account.user.id) \(named) \(guarded.key.prefix(8)) false"
                #expect(String(buffer: response.body) == expected)
                #expect(response.headers[try #require(HTTPField.Name("X-RateLimit-Limit"))] == "1000")
            }
        }
    }

    @Test("A peer without an address is a local socket in the key's last use")
    func localSocket() async throws {
        let guarded = try await guarded(isTLS: true)
        try await guarded.application.test(.router) { client in
            let headers: HTTPFields = [.authorization: "Bearer \(guarded.key)"]
            let response = try await client.execute(uri: "/things", method: .post, headers: headers)
            #expect(response.status == .ok)
            let record = try await guarded.services.keys.metadata(of: guarded.account.user.id)
            #expect(record.lastUse?.address == .localSocket)
        }
    }

    @Test("A key that is limited to networks passes from there alone, and not from a peer without an address")
    func networks() async throws {
        let guarded = try await guarded()
        let headers: HTTPFields = [.authorization: "Bearer \(guarded.key)"]
        @Sendable func allow(_ network: String) async throws {
            try await guarded.services.keys.setAllowedNetworks(
                AllowedNetworks(parsing: [network]), of: guarded.account.user.id, by: .commandLine)
        }
        try await guarded.application.test(.live) { client in
            for (network, status) in [("203.0.113.0/24", HTTPResponse.Status.forbidden), ("127.0.0.0/8", .ok)] {
                try await allow(network)
                let response = try await client.execute(uri: "/things", method: .post, headers: headers)
                #expect(response.status == status)
                if status == .forbidden { #expect(String(buffer: response.body).contains("ADDRESS_NOT_ALLOWED")) }
            }
        }
        let local = try await self.guarded(isTLS: true)
        try await local.services.keys.setAllowedNetworks(
            AllowedNetworks(parsing: ["0.0.0.0/0", "::/0"]), of: local.account.user.id, by: .commandLine)
        try await local.application.test(.router) { client in
            let headers: HTTPFields = [.authorization: "Bearer \(local.key)"]
            let refused = try await client.execute(uri: "/things", method: .post, headers: headers)
            #expect(refused.status == .forbidden)
        }
    }

    @Test("It refuses as the API does, and a regenerated key is rejected immediately")
    func refused() async throws {
        let guarded = try await guarded()
        let forwarded = try #require(HTTPField.Name("X-Forwarded-For"))
        let workspace = try #require(HTTPField.Name("X-Workspace-Id"))
        try await guarded.application.test(.live) { client in
            func request(_ headers: HTTPFields, key: String? = nil) async throws -> (HTTPResponse.Status, String) {
                var headers = headers
                if let key { headers[.authorization] = "Bearer \(key)" }
                let response = try await client.execute(uri: "/things", method: .post, headers: headers)
                let body =
                    try JSONSerialization.jsonObject(with: Data(response.body.readableBytesView)) as? [String: Any]
                return (response.status, body?["error"] as? String ?? "")
            }
            #expect(try await request([:]) == (.unauthorized, "UNAUTHORIZED"))
            #expect(try await request([:], key: "tdc_nothing") == (.unauthorized, "UNAUTHORIZED"))
            #expect(try await request([forwarded: "1.2.3.4"], key: guarded.key) == (.forbidden, "HTTPS_REQUIRED"))
            #expect(try await request([workspace: "nonsense"], key: guarded.key) == (.badRequest, "BAD_REQUEST"))
            #expect(try await request([workspace: "ws_nobody"], key: guarded.key) == (.notFound, "NOT_FOUND"))
            let old = guarded.key
            _ = try await guarded.services.keys.regenerate(
                guarded.account.user.id, idempotencyKey: nil, by: .commandLine)
            #expect(try await request([:], key: old) == (.unauthorized, "UNAUTHORIZED"))
            let open = try await client.execute(uri: "/open", method: .get)
            #expect(open.status == .ok, "routes that were added before it are not guarded")
        }
    }
}
