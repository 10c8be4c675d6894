import AsyncHTTPClient
import Foundation
package import Keybearer
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Synchronization

/// Delivers messages to endpoints: resolves, looks at every address, calls one of those that it looked at, and takes what
/// comes within limits. Redirects are not followed, and nothing is unpacked.
package struct WebhookSender: WebhookTransport {
    /// What the operator sets.
    package struct Settings: Sendable {
        /// Networks that endpoints may be in although they are not public: `webhook-allowed-networks`.
        package var allowedNetworks: [AddressRange] = []
        /// A file of certificates in PEM that are trusted as well; nil for those of the system alone.
        package var trustedCertificates: String?
        /// How long an attempt may take.
        package var patience: Duration = WebhookRules.patience
        /// This machine's addresses.
        var own: @Sendable () -> [IPAddress] = AddressPolicy.ownAddresses
        /// The addresses of a name.
        var lookUp: @Sendable (String) -> Result<[IPAddress], HostResolver.Failure> = HostResolver.askSystem

        /// Without private networks, and with the system's certificates.
        package init() {}
    }

    /// How many addresses of a host are tried, one after another.
    static let mostAddresses = 4

    private let policy: AddressPolicy
    private let resolver: HostResolver
    private let clients: PinnedClients
    private let patience: Duration

    /// Lends a sender, on threads of its own: what it does for its connections never delays requests.
    package static func withSender<Value: Sendable>(
        _ settings: Settings, _ body: (WebhookSender) async throws -> Value
    ) async throws -> Value {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let clients = PinnedClients(group: group, configuration: try configuration(settings))
        let sender = WebhookSender(
            policy: AddressPolicy(allowed: settings.allowedNetworks, own: settings.own),
            resolver: HostResolver(lookUp: settings.lookUp), clients: clients, patience: settings.patience)
        let result: Result<Value, any Error>
        do { result = .success(try await body(sender)) } catch { result = .failure(error) }
        await clients.shutdown()
        try await group.shutdownGracefully()
        return try result.get()
    }

    private static func configuration(_ settings: Settings) throws -> HTTPClient.Configuration {
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.minimumTLSVersion = .tlsv12
        if let file = settings.trustedCertificates {
            tls.additionalTrustRoots = [.certificates(try NIOSSLCertificate.fromPEMFile(file))]
        }
        var pool = HTTPClient.Configuration.ConnectionPool(idleTimeout: .seconds(30))
        pool.retryConnectionEstablishment = false
        var configuration = HTTPClient.Configuration(
            tlsConfiguration: tls, redirectConfiguration: .disallow, timeout: .init(connect: .seconds(5)),
            connectionPool: pool)
        configuration.httpVersion = .http1Only
        return configuration
    }

    package func problem(of url: WebhookURL) async -> String? {
        switch await addresses(of: url, within: .seconds(5)) {
        case .success(let addresses): forbidden(addresses, url)
        case .failure(let failure): failure == .unknownHost ? "Its host has no address." : nil
        }
    }

    package func send(_ request: WebhookRequest) async -> WebhookReply {
        let end = ContinuousClock.now.advanced(by: patience)
        let addresses: [IPAddress]
        switch await self.addresses(of: request.url, within: patience) {
        case .success(let found): addresses = found
        case .failure(.unknownHost): return WebhookReply(.unknownHost)
        case .failure(.failed): return WebhookReply(.resolverFailed)
        case .failure(.busy): return WebhookReply(.ours)
        }
        // One that is forbidden forbids all: which of them a connection takes would be chance.
        if forbidden(addresses, request.url) != nil { return WebhookReply(.forbiddenAddress) }
        var reply = WebhookReply(.connectionFailed)
        for address in addresses.prefix(Self.mostAddresses) {
            reply = await send(request, to: address, until: end)
            guard reply.problem == .connectionFailed, .now < end else { break }
        }
        return reply
    }

    private func addresses(
        of url: WebhookURL, within span: Duration
    ) async -> Result<[IPAddress], HostResolver.Failure> {
        if let address = url.address { return .success([address]) }
        do throws(HostResolver.Failure) {
            return .success(try await resolver.addresses(of: url.host, within: span))
        } catch {
            return .failure(error)
        }
    }

    /// Why these addresses may not be called; nil where they may.
    private func forbidden(_ addresses: [IPAddress], _ url: WebhookURL) -> String? {
        guard addresses.allSatisfy(policy.allows) else { return "Its host has an address that is not public." }
        if url.origin.scheme == .https || addresses.allSatisfy(policy.isAllowedByOperator) { return nil }
        return "It does not begin with https://."
    }

    private func send(
        _ request: WebhookRequest, to address: IPAddress, until end: ContinuousClock.Instant
    ) async -> WebhookReply {
        let isPrivate = policy.isPrivate(address)
        return await clients.withClient(of: .init(host: request.url.host, address: address)) { client in
            let attempt = WebhookAttempt(client: client, address: address, keepsBody: !isPrivate)
            return await attempt.run(request, until: end)
        }
    }
}

/// One request and what came back, within a limit of time and of bytes.
private struct WebhookAttempt: Sendable {
    let client: HTTPClient
    let address: IPAddress
    /// What a private target answers is kept from whoever has the endpoint.
    let keepsBody: Bool

    /// What has come so far.
    private final class Received: Sendable {
        let head = Lock<(status: Int, retryAfter: String?)?>(nil)
        let body = Lock<[UInt8]>([])
    }

    /// The status decides, as soon as it is there. What follows is read for who looks at it, as long as there is time.
    func run(_ request: WebhookRequest, until end: ContinuousClock.Instant) async -> WebhookReply {
        let received = Received()
        let problem = await withTaskGroup(of: WebhookReply.Problem?.self) { group in
            group.addTask { await perform(request, received) }
            group.addTask {
                try? await Task.sleep(until: end, clock: .continuous)
                return .timedOut
            }
            defer { group.cancelAll() }
            return await group.next() ?? nil
        }
        guard let head = received.head.withLock({ $0 }) else { return WebhookReply(problem ?? .noAnswer, at: address) }
        return WebhookReply(
            status: head.status, body: received.body.withLock { $0 }, retryAfter: head.retryAfter, address: address)
    }

    private func perform(_ request: WebhookRequest, _ received: Received) async -> WebhookReply.Problem? {
        var wanted = HTTPClientRequest(url: request.url.text)
        wanted.method = .POST
        wanted.headers.add(name: "Content-Type", value: "application/json")
        wanted.headers.add(name: "User-Agent", value: "Webhooks/1.0")
        for (name, value) in request.headers { wanted.headers.add(name: name, value: value) }
        wanted.body = .bytes(ByteBuffer(bytes: request.body))
        do {
            let response = try await client.execute(wanted, timeout: .seconds(60))
            let retryAfter = response.headers.first(name: "Retry-After")
            received.head.withLock { $0 = (Int(response.status.code), retryAfter) }
            for try await part in response.body {
                let isFull = received.body.withLock { body in
                    let room = keepsBody ? WebhookRules.mostResponseBytes - body.count : 0
                    body += part.readableBytesView.prefix(room)
                    return body.count >= WebhookRules.mostResponseBytes || !keepsBody
                }
                // Whoever sends more is not read to the end.
                if isFull { break }
            }
            return nil
        } catch {
            return Self.problem(of: error)
        }
    }

    private static func problem(of error: any Error) -> WebhookReply.Problem {
        switch error {
        case is NIOConnectionError, is ChannelError: .connectionFailed
        // A connection that broke off may have carried the message: no other address is tried for it.
        case let error as IOError: [ECONNRESET, EPIPE].contains(error.errnoCode) ? .noAnswer : .connectionFailed
        case is NIOSSLError, is BoringSSLError, is NIOSSLExtraError: .tlsFailed
        case is CancellationError: .timedOut
        case let error as HTTPClientError:
            switch error {
            case .connectTimeout: .connectionFailed
            case .deadlineExceeded, .readTimeout, .tlsHandshakeTimeout, .cancelled: .timedOut
            default: .noAnswer
            }
        default: .noAnswer
        }
    }
}
