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
        /// Where this service is itself, without a slash at the end: what lies below is no target.
        package var ownURLs: [String] = []
        /// How long an attempt may take.
        package var patience: Duration = WebhookRules.patience
        /// This machine's addresses.
        var own: @Sendable () -> [IPAddress] = AddressPolicy.ownAddresses
        /// Whether an address is one of the public internet.
        var isPublic: @Sendable (IPAddress) -> Bool = AddressPolicy.isPublic
        /// The addresses of a name.
        var lookUp: @Sendable (String) -> Result<[IPAddress], HostResolver.Failure> = HostResolver.askSystem

        /// Without private networks, and with the system's certificates.
        package init() {}
    }

    /// The file of certificates is none.
    package struct CertificatesProblem: Error, CustomStringConvertible {
        package let description: String
    }

    /// How many addresses of a host are tried, one after another.
    static let mostAddresses = 4

    private let policy: AddressPolicy
    private let resolver: HostResolver
    /// For whoever saves an endpoint: names that hang there take no thread from the attempts.
    private let savers: HostResolver
    private let clients: PinnedClients
    private let ownURLs: [String]
    private let patience: Duration
    private let uplink: UplinkState

    /// Lends a sender, on threads of its own: what it does for its connections never delays requests.
    package static func withSender<Value: Sendable>(
        _ settings: Settings, _ body: (WebhookSender) async throws -> Value
    ) async throws -> Value {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let clients = PinnedClients(group: group, configuration: try configuration(settings))
        let sender = WebhookSender(
            policy: AddressPolicy(
                allowed: settings.allowedNetworks, own: settings.own, isPublic: settings.isPublic),
            resolver: HostResolver(lookUp: settings.lookUp),
            savers: HostResolver(mostThreads: 16, keptThreads: 0, lookUp: settings.lookUp), clients: clients,
            ownURLs: settings.ownURLs, patience: settings.patience, uplink: UplinkState())
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
            do {
                tls.additionalTrustRoots = [.certificates(try NIOSSLCertificate.fromPEMFile(file))]
            } catch {
                throw CertificatesProblem(description: "the certificates in \(file) cannot be read")
            }
        }
        var pool = HTTPClient.Configuration.ConnectionPool(idleTimeout: .seconds(30))
        pool.retryConnectionEstablishment = false
        // The queue says how many attempts there are. Fewer connections would let one slow endpoint hold those of another at
        // the same host.
        pool.concurrentHTTP1ConnectionsPerHostSoftLimit = DeliveryRules.mostConcurrently
        var configuration = HTTPClient.Configuration(
            tlsConfiguration: tls, redirectConfiguration: .disallow, timeout: .init(connect: .seconds(5)),
            connectionPool: pool)
        configuration.httpVersion = .http1Only
        return configuration
    }

    package func problem(of url: WebhookURL) async -> String? {
        if isOwn(url) { return "It is an address of this service." }
        return switch await addresses(of: url, by: savers, within: .seconds(5)) {
        case .success(let addresses): forbidden(addresses, url)
        case .failure(let failure): failure == .unknownHost ? "Its host has no address." : nil
        }
    }

    package func send(_ request: WebhookRequest) async -> WebhookReply {
        let end = ContinuousClock.now.advanced(by: patience)
        let addresses: [IPAddress]
        if isOwn(request.url) { return WebhookReply(.forbiddenAddress) }
        switch await self.addresses(of: request.url, by: resolver, within: patience) {
        case .success(let found): addresses = found
        case .failure(.unknownHost): return WebhookReply(.unknownHost)
        case .failure(.failed): return judged(WebhookReply(.resolverFailed), request, .silent)
        case .failure(.busy), .failure(.powerless): return WebhookReply(.ours)
        }
        // One that is forbidden forbids all: which of them a connection takes would be chance.
        if forbidden(addresses, request.url) != nil { return WebhookReply(.forbiddenAddress) }
        var reply = WebhookReply(.connectionFailed)
        var signs: Set<UplinkWatch.Sign> = []
        for address in addresses.prefix(Self.mostAddresses) {
            let one = await send(request, to: address, until: end)
            reply = one.reply
            signs.insert(one.sign)
            guard reply.problem == .connectionFailed, .now < end else { break }
        }
        return judged(reply, request, signs.contains(.reached) ? .reached : signs == [.silent] ? .silent : .neither)
    }

    /// What an outage of this machine's own network made of an attempt is no failure of the endpoint.
    ///
    private func judged(_ reply: WebhookReply, _ request: WebhookRequest, _ sign: UplinkWatch.Sign) -> WebhookReply {
        guard reply.isTheirs else { return reply }
        let isOurs = uplink.state.withLock { $0.take(sign, of: request.url.host, at: .now) }
        return isOurs ? WebhookReply(.ours) : reply
    }

    /// Whether a URL leads to this service. On its host, a path that can be written in another way counts as well.
    private func isOwn(_ url: WebhookURL) -> Bool {
        ownURLs.contains { own in
            guard let end = own.firstRange(of: "://").flatMap({ own[$0.upperBound...].firstIndex(of: "/") }) else {
                return Self.isBelow(own, url.text)
            }
            guard Self.isBelow(own[..<end], url.text) else { return false }
            let path = url.text.dropFirst(own[..<end].count).prefix { $0 != "?" }
            let isPlain = !path.contains("%") && !path.contains("//") && !path.contains("/.")
            return !isPlain || Self.isBelow(own, url.text)
        }
    }

    private static func isBelow(_ place: some StringProtocol, _ text: String) -> Bool {
        guard text.hasPrefix(place) else { return false }
        return text.dropFirst(place.count).first.map { "/?".contains($0) } ?? true
    }

    private func addresses(
        of url: WebhookURL, by resolver: HostResolver, within span: Duration
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
    ) async -> (reply: WebhookReply, sign: UplinkWatch.Sign) {
        let isPrivate = policy.isPrivate(address)
        return await clients.withClient(of: .init(host: request.url.host, address: address)) { client in
            let attempt = WebhookAttempt(client: client, address: address, keepsBody: !isPrivate)
            return await attempt.run(request, until: end)
        }
    }
}

/// What is known of this machine's network.
private final class UplinkState: Sendable {
    let state = Lock(UplinkWatch())
}

/// One request and what came back, within a limit of time and of bytes.
private struct WebhookAttempt: Sendable {
    let client: HTTPClient
    let address: IPAddress
    /// What a private target answers is kept from whoever has the endpoint.
    let keepsBody: Bool

    /// How long the body of an answer is waited for, behind its head.
    private static let mostForBody: Duration = .seconds(1)

    /// What has come so far.
    private final class Received: Sendable {
        let head = Lock<(status: Int, retryAfter: String?)?>(nil)
        let body = Lock<[UInt8]>([])
    }

    /// The status decides, as soon as it is there. What follows is read for who looks at it, for a moment.
    func run(
        _ request: WebhookRequest, until end: ContinuousClock.Instant
    ) async -> (reply: WebhookReply, sign: UplinkWatch.Sign) {
        let received = Received()
        let failure = await withTaskGroup(of: AttemptFailure?.self) { group in
            group.addTask { await perform(request, received) }
            group.addTask {
                var headAt: ContinuousClock.Instant?
                while ContinuousClock.now < end, !Task.isCancelled {
                    // Who drips a body holds a place no longer than a moment.
                    if headAt == nil, received.head.withLock({ $0 != nil }) { headAt = .now }
                    if let headAt, headAt.duration(to: .now) > Self.mostForBody { break }
                    try? await Task.sleep(for: .milliseconds(100))
                }
                return AttemptFailure(.timedOut, .neither)
            }
            defer { group.cancelAll() }
            return await group.next() ?? nil
        }
        guard let head = received.head.withLock({ $0 }) else {
            return (WebhookReply(failure?.problem ?? .noAnswer, at: address), failure?.sign ?? .neither)
        }
        let body = received.body.withLock { $0 }
        return (
            WebhookReply(status: head.status, body: body, retryAfter: head.retryAfter, address: address), .reached
        )
    }

    private func perform(_ request: WebhookRequest, _ received: Received) async -> AttemptFailure? {
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
            return .of(error)
        }
    }
}
