import HTTPTypes
import Keybearer

/// Finds out who the client is and whether it came over HTTPS, believing forwarding headers only from trusted peers.
struct ClientAddress: Sendable {
    /// Networks of the operator's own proxies; empty unless configured.
    let trusted: [AddressRange]

    /// Whether a peer is one of the operator's proxies. A peer without an address is in no list.
    func isTrusted(_ address: IPAddress) -> Bool {
        address != .localSocket && trusted.contains { $0.contains(address) }
    }

    /// The client's address: the peer, or, behind a trusted peer, what
    /// ``addressBehind(trustedPeer:forwarded:forwardedFor:)`` finds.
    func address(peer: IPAddress, headers: HTTPFields) -> IPAddress {
        guard !trusted.isEmpty, isTrusted(peer) else { return peer }
        return addressBehind(
            trustedPeer: peer, forwarded: headers[values: HeaderName.forwarded],
            forwardedFor: headers[values: HeaderName.forwardedFor])
    }

    /// The client's address behind a peer that is known to be trusted: the right-most entry of `Forwarded` or
    /// `X-Forwarded-For` that is not trusted. The peer, where both headers are there and name different clients.
    ///
    /// - Parameters:
    ///   - forwarded: the values of all lines of `Forwarded`, in order.
    ///   - forwardedFor: the same of `X-Forwarded-For`.
    func addressBehind(trustedPeer peer: IPAddress, forwarded: [String], forwardedFor: [String]) -> IPAddress {
        switch (forwarded.isEmpty, forwardedFor.isEmpty) {
        case (true, true): return peer
        case (false, true): return client(ForwardedEntries(.forwarded, lines: forwarded), peer: peer)
        case (true, false): return client(ForwardedEntries(.forwardedFor, lines: forwardedFor), peer: peer)
        case (false, false):
            let client = client(ForwardedEntries(.forwarded, lines: forwarded), peer: peer)
            return client == self.client(ForwardedEntries(.forwardedFor, lines: forwardedFor), peer: peer)
                ? client : peer
        }
    }

    /// Walks from the right, over trusted entries, to the first that is not: every proxy appends, so what stands further
    /// left was written by whoever sent the request.
    ///
    /// The walk stops before a malformed entry and at the left end. Then the client is the last entry that it passed: the
    /// furthest that trusted proxies vouch for.
    private func client(_ entries: ForwardedEntries, peer: IPAddress) -> IPAddress {
        var entries = entries
        var client = peer
        while case .address(let address)? = entries.next() {
            client = address
            if !isTrusted(address) { break }
        }
        return client
    }

    /// Whether the request may be taken as HTTPS, or needs no HTTPS.
    ///
    /// - Parameter isTLS: whether the connection to this server is encrypted.
    func isSecure(isTLS: Bool, peer: IPAddress, headers: HTTPFields) -> Bool {
        if isTLS { return true }
        if isTrusted(peer) {
            let last = headers[values: HeaderName.forwardedProto].last?.split(separator: ",").last
            return last.map { $0.lowercased().filter { $0 != " " } == "https" } ?? false
        }
        // A tool on the same machine. With forwarding headers it is a proxy that nobody configured.
        return peer.isLoopback && !Self.hasForwardingHeaders(headers)
    }

    /// The same on a Unix socket, whatever networks are trusted: a program of this machine, and no proxy of the network.
    static func isSecureOnSocket(_ headers: HTTPFields) -> Bool { !hasForwardingHeaders(headers) }

    private static func hasForwardingHeaders(_ headers: HTTPFields) -> Bool {
        headers.contains {
            $0.name == HeaderName.forwarded || $0.name.canonicalName.hasPrefix("x-forwarded-")
                || $0.name.canonicalName == "x-real-ip"
        }
    }
}
