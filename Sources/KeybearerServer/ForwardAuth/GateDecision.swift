public import Keybearer
import Logging
import NIOCore

/// Settings of the gate's listener.
public struct GateSettings: Sendable {
    /// Where it listens.
    public enum Address: Sendable, Hashable, CustomStringConvertible {
        /// An internal address; port 0 takes a free one.
        case network(host: String, port: Int)
        /// A Unix socket. Who may open the file may ask.
        case unixSocket(path: String)

        /// Whether it is a Unix socket.
        var isSocket: Bool {
            if case .unixSocket = self { return true }
            return false
        }

        public var description: String {
            switch self {
            case .network(let host, let port): "\(host.contains(":") ? "[\(host)]" : host):\(port)"
            case .unixSocket(let path): "unix:\(path)"
            }
        }
    }

    /// Where it listens: never an address that clients reach.
    public var address: Address
    /// The gateways, whose word on the client's address, scheme and path is believed. A Unix socket's peers always are.
    public var trustedProxies: [AddressRange]
    /// Where an original path names its workspace; nil when none does.
    public var workspacePattern: WorkspacePattern?

    /// Puts settings together.
    public init(address: Address, trustedProxies: [AddressRange], workspacePattern: WorkspacePattern? = nil) {
        self.address = address
        self.trustedProxies = trustedProxies
        self.workspacePattern = workspacePattern
    }
}

/// Decides whether a request that a gateway asks about may pass: who the client is, which workspace, which key.
///
/// It uses memory only and is synchronous, like `Verifier.cachedVerdict`. What it cannot decide is returned as a
/// ``PendingRequest``.
struct GateDecision: Sendable {
    /// What a connection says of all its requests.
    struct Peer: Sendable {
        /// The TCP peer; ``IPAddress/localSocket`` on a Unix socket.
        let address: IPAddress
        /// Whether its forwarding headers are believed.
        let isTrusted: Bool
    }

    /// A request that needs the store.
    struct PendingRequest: Sendable {
        /// What was parsed of it.
        let admission: Admission
        let need: StoreNeed
        /// When its last byte had been read.
        let begun: SteadyTime
        let format: GateResponses.ResponseFormat
        /// What the client says it is.
        let userAgent: String
    }

    private enum Path {
        case gate(GateResponses.Mode, rest: GateRequestHead.Part)
        case unknown
    }

    let node: Node
    let clocks: Clocks
    let settings: GateSettings
    let failures: GateFailureLog
    let challenges: Challenges
    private let addresses: ClientAddress
    private let metrics: VerdictMetrics?
    private let accessLog: AccessLog?

    init(
        node: Node, clocks: Clocks, settings: GateSettings, challenges: Challenges = Challenges(),
        accessLog: AccessLog? = nil, logger: Logger
    ) {
        self.challenges = challenges
        self.accessLog = accessLog
        failures = GateFailureLog(logger: logger)
        metrics = VerdictMetrics(.gate, of: node, clocks: clocks)
        self.node = node
        self.clocks = clocks
        self.settings = settings
        addresses = ClientAddress(trusted: settings.trustedProxies)
    }

    /// What a connection's peer is worth. Without an address, on a Unix socket, the file's permissions have decided.
    func peer(_ socket: SocketAddress?) -> Peer {
        guard case .network = settings.address else {
            return Peer(address: .localSocket, isTrusted: true)
        }
        guard let address = socket.flatMap({ IPAddress($0) }) else {
            return Peer(address: .localSocket, isTrusted: false)
        }
        return Peer(address: address, isTrusted: addresses.isTrusted(address))
    }

    /// Writes the response to a request, or returns what the store must be asked.
    func respond(
        _ head: GateRequestHead, in bytes: UnsafeRawBufferPointer, from peer: Peer, isStopping: Bool,
        with responses: inout GateResponses, to out: inout ByteBuffer
    ) -> PendingRequest? {
        // Read here, after the request's last byte: see Verifier.cachedVerdict.
        let (now, wall) = (clocks.steady(), clocks.wall())
        var format = GateResponses.ResponseFormat(mode: .plain, isHead: head.isHead, closes: head.closes || isStopping)
        guard case .gate(let mode, let rest) = Self.path(head, bytes) else {
            let written = responses.deny(.noGate, format: format, wall: wall, to: &out)
            record(written, format, route: "-", from: peer.address, since: now, at: wall)
            return nil
        }
        format.mode = mode
        if head.trace.occurrences == 1 { format.trace = Self.trace(head, bytes) }
        guard isSecure(head, bytes, peer) else {
            let written = responses.deny(.httpsRequired, format: format, wall: wall, to: &out)
            record(written, format, from: peer.address, since: now, at: wall)
            return nil
        }
        let credentials = Self.credentials(head, bytes)
        guard case .token = credentials else {
            let written = responses.deny(credentials.denial, format: format, wall: wall, to: &out)
            metrics?.record(.unauthorized, since: now)
            if accessLog != nil {
                record(written, format, .unauthorized, from: client(head, bytes, peer), since: now, at: wall)
            }
            return nil
        }
        let admission = Admission(credentials, from: client(head, bytes, peer)) { () throws(KeybearerError) in
            try scope(head, bytes, rest: rest, peer)
        }
        let verdict = admission.cachedVerdict(by: node.verifier, now: now, wall: wall) {
            Self.userAgent(head, bytes)
        }
        if case .needsStore(let need) = verdict {
            return PendingRequest(
                admission: admission, need: need, begun: now, format: format, userAgent: Self.userAgent(head, bytes))
        }
        write(verdict, of: admission, since: now, format: format, wall: wall, with: &responses, to: &out)
        return nil
    }

    /// Writes what a verdict comes to, and records a refusal for the key's holder.
    ///
    /// - Parameter begun: when the request's last byte had been read.
    /// - Returns: the number of the request in its identifier, where a fault of ours was answered.
    @inline(__always)
    @discardableResult
    func write(
        _ verdict: Verdict, of admission: Admission, since begun: SteadyTime, format: GateResponses.ResponseFormat,
        wall: Timestamp, with responses: inout GateResponses, to out: inout ByteBuffer
    ) -> UInt64? {
        let written = responses.write(verdict, of: admission, format: format, wall: wall, to: &out)
        if let metrics { metrics.record(verdict, since: begun) }
        if accessLog != nil { record(written, format, verdict, from: admission.client, since: begun, at: wall) }
        guard written.isRefused else { return nil }
        admission.record(verdict, by: node.verifier, at: wall, requestID: RequestIdentifier.text(written.request))
        return written.isOurFault ? written.request : nil
    }

    /// Gives a request its line in the access log.
    @inline(never)
    private func record(
        _ written: GateResponses.Written, _ format: GateResponses.ResponseFormat, _ verdict: Verdict? = nil,
        route: String? = nil, from client: IPAddress, since begun: SteadyTime, at wall: Timestamp
    ) {
        guard let accessLog, accessLog.isWanted(written.status) else { return }
        let route = route ?? (format.mode == .plain ? "/gate" : "/gate-nginx")
        accessLog.record(
            AccessLine(
                at: wall, duration: begun.duration(to: clocks.steady()),
                requestID: RequestIdentifier.text(written.request), surface: .gate, method: "-", route: route,
                status: written.status, client: client, subject: verdict.map { .init($0) } ?? .init(),
                trace: format.trace))
    }

    @inline(never)
    private static func trace(_ head: GateRequestHead, _ bytes: UnsafeRawBufferPointer) -> TraceContext? {
        TraceContext(slice(head.trace.value, bytes))?.child()
    }

    /// What the client says it is: the gateway passes its header on.
    @inline(never)
    private static func userAgent(_ head: GateRequestHead, _ bytes: UnsafeRawBufferPointer) -> String {
        head.values(named: "user-agent", in: bytes).first.map { ClientName.visible(slice($0, bytes)) } ?? ""
    }

    /// Decides a request with the store's help.
    func verdictFromStore(_ pending: PendingRequest) async -> Verdict {
        await pending.admission.verdictFromStore(
            by: node.verifier, for: pending.need, userAgent: pending.userAgent)
    }

    /// `/gate` and `/gate-nginx`, alone or with anything behind a slash or a question mark.
    private static func path(_ head: GateRequestHead, _ bytes: UnsafeRawBufferPointer) -> Path {
        func rest(after length: Int) -> GateRequestHead.Part? {
            guard head.target.count >= length else { return nil }
            let rest = GateRequestHead.Part(start: head.target.start + length, count: head.target.count - length)
            guard rest.count > 0 else { return rest }
            return bytes[rest.start] == UInt8(ascii: "/") || bytes[rest.start] == UInt8(ascii: "?") ? rest : nil
        }
        func begins(_ text: StaticString) -> Bool {
            let length = text.utf8CodeUnitCount
            guard head.target.count >= length else { return false }
            for offset in 0..<length where bytes[head.target.start + offset] != text.utf8Start[offset] { return false }
            return true
        }
        guard begins("/gate") else { return .unknown }
        if let rest = rest(after: 5) { return .gate(.plain, rest: rest) }
        if begins("/gate-nginx"), let rest = rest(after: 11) { return .gate(.nginx, rest: rest) }
        return .unknown
    }

    private func isSecure(_ head: GateRequestHead, _ bytes: UnsafeRawBufferPointer, _ peer: Peer) -> Bool {
        if peer.isTrusted {
            // A chain of schemes, or two of them, is nothing that a gateway of ours writes.
            return head.forwardedProto.occurrences == 1
                && GateRequestHead.equals(bytes, head.forwardedProto.value, "https")
        }
        // A tool on the same machine. With forwarding headers it is a proxy that nobody configured.
        return peer.address.isLoopback && !head.hasForwardingHeaders
    }

    private func client(_ head: GateRequestHead, _ bytes: UnsafeRawBufferPointer, _ peer: Peer) -> IPAddress {
        guard peer.isTrusted, head.forwarded.occurrences + head.forwardedFor.occurrences > 0 else {
            return peer.address
        }
        if head.forwarded.occurrences == 0, head.forwardedFor.occurrences == 1,
            let only = IPAddress(dottedQuad: Self.slice(head.forwardedFor.value, bytes)), !addresses.isTrusted(only)
        {
            return only
        }
        func lines(_ header: GateRequestHead.Header, _ name: StaticString) -> [String] {
            head.values(of: header, named: name, in: bytes).map { Self.text($0, bytes) }
        }
        return addresses.addressBehind(
            trustedPeer: peer.address, forwarded: lines(head.forwarded, "forwarded"),
            forwardedFor: lines(head.forwardedFor, "x-forwarded-for"))
    }

    private static func credentials(_ head: GateRequestHead, _ bytes: UnsafeRawBufferPointer) -> BearerCredentials {
        switch head.authorization.occurrences {
        case 0: .none
        case 1: BearerCredentials(value: slice(head.authorization.value, bytes))
        default: .malformed
        }
    }

    /// The workspace that the request names: by header, by the original path, or none. Two that disagree are refused.
    private func scope(
        _ head: GateRequestHead, _ bytes: UnsafeRawBufferPointer, rest: GateRequestHead.Part, _ peer: Peer
    ) throws(KeybearerError) -> AccessScope {
        var named: WorkspaceID?
        if head.workspaceID.occurrences > 0 {
            let text = head.workspaceID.occurrences == 1 ? Self.text(head.workspaceID.value, bytes) : nil
            named = try Admission.workspace(named: text)
        }
        guard let pattern = settings.workspacePattern else { return named.map { .workspace($0) } ?? .anyWorkspace }
        var original = rest
        if peer.isTrusted, head.forwardedURI.occurrences > 0 {
            guard head.forwardedURI.occurrences == 1 else {
                throw KeybearerError(.badRequest, "X-Forwarded-Uri must stand once.")
            }
            original = head.forwardedURI.value
        }
        // Nothing, or a query alone, behind the prefix is the root.
        let isRoot = original.count == 0 || bytes[original.start] == UInt8(ascii: "?")
        switch pattern.match(isRoot ? "/" : Self.text(original, bytes)) {
        case .other: return named.map { .workspace($0) } ?? .anyWorkspace
        case .ambiguous: throw KeybearerError(.badRequest, "The path is not in its plainest form.")
        case .workspace(let text): return try Admission.scope(field: named, path: text)
        }
    }

    private static func slice(_ part: GateRequestHead.Part, _ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: bytes[part.start..<part.start + max(0, part.count)])
    }

    private static func text(_ part: GateRequestHead.Part, _ bytes: UnsafeRawBufferPointer) -> String {
        String(decoding: slice(part, bytes), as: UTF8.self)
    }
}

extension BearerCredentials {
    /// The refusal of a request without a token that may be a key.
    fileprivate var denial: GateResponses.Denial {
        switch self {
        case .none: .tokenMissing
        case .malformed, .token: .tokenRefused
        }
    }
}
