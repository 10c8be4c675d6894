import Foundation
import Hummingbird
import Keybearer
import KeybearerSQLite
import KeybearerServer
import Logging
import NIOCore

/// An API of your own in Swift that checks Secret Keys in its own process: no gateway, no second server.
///
/// Accounts come from the same database that `keybearer serve` and its dashboard use:
///
///     keybearer init
///     swift run ExampleAPI keybearer.db keybearer.keys
@main
struct ExampleAPI {
    /// What handlers get: the framework's context, and the account whose key was accepted.
    struct Context: KeyHolderRequestContext, RequestContext {
        var coreContext: CoreRequestContextStorage
        var keyHolder: KeyHolder?
        let remoteAddress: SocketAddress?

        init(source: ApplicationRequestContextSource) {
            coreContext = .init(source: source)
            remoteAddress = source.channel.remoteAddress
        }
    }

    static func main() async throws {
        let arguments = CommandLine.arguments
        let (database, keyFile) = (arguments[1], arguments[2])
        let logger = Logger(label: "example")
        let store = try SQLiteStore.open(path: database, role: .server)
        let loadRing: @Sendable () throws -> MasterKeyRing = {
            try MasterKeyFormat.parse(String(contentsOfFile: keyFile, encoding: .utf8))
        }
        let services = Services(
            store: store, ring: try loadRing(), loadRing: loadRing, settings: .init(),
            role: .server, logger: logger)
        // Fails if the master keys do not fit the database: valid keys would be refused.
        try await services.ring.require(.refuse)

        let router = Router(context: Context.self)
        router.add(middleware: try SecretKeyMiddleware(services: services, isTLS: false, logger: logger))
        router.get("/things") { _, context in
            // A service account has no address.
            let name = context.keyHolder.map { $0.email?.rawValue ?? $0.userID.rawValue }
            return "Hello, \(name ?? "nobody")!\n"
        }
        let application = Application(
            router: router, configuration: .init(address: .hostname("127.0.0.1", port: 8090)),
            services: [try NodeService(services)], logger: logger)
        try await application.runService()
    }
}
