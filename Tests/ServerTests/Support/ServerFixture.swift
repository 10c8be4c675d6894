import Foundation
import HTTPTypes
import Hummingbird
import KeybearerSQL
import KeybearerSQLite
import Logging
import NIOCore
import Synchronization
import TestSupport
import Testing

@testable import Keybearer
@testable import KeybearerServer

/// A server with its store, and accounts on it.
final class ServerFixture: Sendable {
    let directory: TemporaryDirectory
    let store: SQLStore
    let services: Services
    let settings: KeybearerServer.Settings
    let random = RandomSource.seeded(31)
    /// The mails that were sent; nil where none are.
    let mails: MailRecorder?
    private let logger: Logger
    private let clocks: Clocks
    private let made = Lock<EdgeResponder?>(nil)

    /// - Parameters:
    ///   - store: the store to serve; nil makes a file of its own.
    ///   - ring: the master keys; nil makes new ones.
    ///   - identityProvider: with whom people can sign in too.
    ///   - mails: takes the mails that are sent; nil sends none.
    ///   - configure: changes the edge's settings.
    init(
        clocks: Clocks = .system, tls: (certificateFile: String, keyFile: String)? = nil, store: SQLStore? = nil,
        ring: MasterKeyRing? = nil, identityProvider: (any IdentityProvider)? = nil, mails: MailRecorder? = nil,
        logger: Logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
        configure: (inout KeybearerServer.Settings, inout Services.Settings) -> Void = { _, _ in }
    ) throws {
        self.logger = logger
        directory = try TemporaryDirectory()
        self.store = try store ?? SQLiteStore.openStore(path: directory.file("keybearer.db"), role: .server)
        let ring = try ring ?? MasterKeyRing.generate(from: .system)
        var domain = Services.Settings()
        domain.passwordCost = 10
        // No slow machine outlives it: what happens without a lease is tested elsewhere.
        domain.lease = .seconds(30)
        self.clocks = clocks
        var edge = KeybearerServer.Settings()
        edge.port = 0
        if identityProvider != nil {
            edge.publicURL = PublicURL("https://yourapp.com")
            domain.identities = IdentitySettings(issuer: FixedIdentityProvider.issuer, name: "Example")
        }
        self.mails = mails
        if mails != nil {
            edge.publicURL = PublicURL("https://yourapp.com")
            domain.isMailOn = true
        }
        edge.isRegenerateByKeyOpen = true
        edge.tls = tls
        edge.gate = GateSettings(
            address: .network(host: "127.0.0.1", port: 0),
            trustedProxies: [AddressRange("127.0.0.0/8")].compactMap { $0 })
        configure(&edge, &domain)
        settings = edge
        services = Services(
            store: self.store, ring: ring, loadRing: { ring }, settings: domain,
            role: .server, identityProvider: identityProvider, mail: try mails?.delivery(edge.brand), clocks: clocks,
            logger: logger)
    }

    func server() throws -> KeybearerServer {
        let store = store
        return try KeybearerServer(
            settings: settings, services: services, checkStore: { try await store.checkReadiness() },
            clocks: clocks, logger: logger)
    }

    /// What answers requests, made once: it reads every template.
    private func responder() throws -> EdgeResponder {
        if let made = made.withLock({ $0 }) { return made }
        let fresh = try server().makeResponder()
        made.withLock { $0 = fresh }
        return fresh
    }

    /// Runs a test's body against the listening server.
    func listening(_ body: @Sendable (WireClient) async throws -> Void) async throws {
        try await listening(server(), body)
    }

    /// The same for a server that the test looks into.
    func listening(_ server: KeybearerServer, _ body: @Sendable (WireClient) async throws -> Void) async throws {
        let (ports, announce) = AsyncStream<KeybearerServer.ListeningPorts>.makeStream()
        let running = Task {
            // One that cannot start announces nothing.
            defer { announce.finish() }
            try await server.run { announce.yield($0) }
        }
        defer { running.cancel() }
        var iterator = ports.makeAsyncIterator()
        guard let port = await iterator.next() else {
            // It says why it could not start.
            try await running.value
            throw CancellationError()
        }
        try await body(
            WireClient(
                port: port.server, gatePort: port.gate ?? 0, operatorPort: port.operators ?? 0,
                metricsPort: port.metrics ?? 0))
        running.cancel()
        _ = await running.result
    }

    /// An account, on the plan with the feature unless asked otherwise, with its key.
    func account(_ email: String, isEntitled: Bool = true) async throws -> (account: Account, key: String) {
        let made = try await services.accounts.create(
            name: "Ada", email: email, password: Password("long enough secret"), by: .commandLine)
        if isEntitled {
            try await services.workspaces.setPlan(
                PlanID(rawValue: "pro"), of: made.workspaces[0].workspace.id, by: .commandLine)
        }
        let key = try await services.keys.reveal(made.user.id, by: .commandLine)
        return (try await services.accounts.account(made.user.id), key.characters)
    }

    /// Sends the mails that are due, and returns those that were sent since the last time.
    func sentMails() async throws -> [ReceivedMail] {
        await services.node?.mails.sendDue()
        return mails?.take() ?? []
    }

    /// Answers one request without a socket.
    func respond(
        _ method: HTTPRequest.Method = .get, _ path: String, _ headers: HTTPFields = [:], body: String = "",
        peer: String = "127.0.0.1", isTLS: Bool = true, authority: String = "yourapp.com",
        through edge: EdgeResponder? = nil
    ) async throws -> (status: Int, headers: HTTPFields, body: String) {
        let made = try edge ?? responder()
        let responder = EdgeResponder(
            routes: made.routes, served: made.served, clientAddress: made.clientAddress, isTLS: isTLS,
            bodies: made.bodies, api: made.api, operators: made.operators, dashboard: made.dashboard,
            place: made.place, logger: logger)
        // A server decides under a lease.
        await services.node?.fence.step()
        let request = Request(
            head: HTTPRequest(method: method, scheme: "https", authority: authority, path: path, headerFields: headers),
            body: RequestBody(buffer: ByteBuffer(string: body)))
        let response = try await responder.respond(to: request, context: ConnectionContext(peer: IPAddress(peer)))
        let writer = BodyCollector()
        try await response.body.write(writer)
        return (response.status.code, response.headers, writer.text)
    }

    /// A self-signed certificate for localhost, made once: starting programs from many tests at the same time is not
    /// safe.
    static func certificate() throws -> (directory: TemporaryDirectory, certificateFile: String, keyFile: String) {
        try certificateForAll.get()
    }

    private static let certificateForAll = Result { try makeCertificate() }

    private static func makeCertificate() throws -> (
        directory: TemporaryDirectory, certificateFile: String, keyFile: String
    ) {
        let directory = try TemporaryDirectory()
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", "/CN=localhost", "-keyout", directory.file("key.pem"), "-out", directory.file("cert.pem"),
        ]
        process.standardError = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0, "openssl makes the test's certificate")
        return (directory, directory.file("cert.pem"), directory.file("key.pem"))
    }
}

/// Takes a response's body into memory.
final class BodyCollector: ResponseBodyWriter {
    private(set) var buffer = ByteBuffer()
    var text: String { String(buffer: buffer) }

    func write(_ buffer: ByteBuffer) async throws {
        var buffer = buffer
        self.buffer.writeBuffer(&buffer)
    }

    func finish(_ trailingHeaders: HTTPFields?) async throws {}
}

/// The JSON object of a body.
func object(_ text: String) throws -> [String: Any] {
    try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
}
