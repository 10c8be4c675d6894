import HTTPTypes
import Keybearer

/// Finds out who the client is and whether it came over HTTPS, believing forwarding headers only from trusted peers.
struct ClientAddress: Sendable {
    /// Networks of the operator's own proxies; empty unless configured.
    let trusted: [AddressRange]

    /// Whether a peer is one of the operator's proxies.
    func isTrusted(_ address: IPAddress) -> Bool { trusted.contains { $0.contains(address) } }

    /// The client's address: the peer, or, behind a trusted peer, the right-most address of the chain that is not
    /// trusted. A malformed chain, or two chains that disagree, count as none: the peer.
    ///
    /// Right-most, because every proxy appends: what stands further left was written by whoever sent the request.
    func resolve(peer: IPAddress, fields: HTTPFields) -> IPAddress {
        guard !trusted.isEmpty, isTrusted(peer) else { return peer }
        return resolveBehind(trustedPeer: peer, fields: fields)
    }

    /// The client's address behind a peer that is known to be trusted.
    func resolveBehind(trustedPeer peer: IPAddress, fields: HTTPFields) -> IPAddress {
        var clients: Set<IPAddress> = []
        let forwarded = fields[values: FieldName.forwarded]
        if !forwarded.isEmpty {
            guard let chain = Self.forwardedChain(forwarded) else { return peer }
            clients.insert(client(of: chain, peer: peer))
        }
        let forwardedFor = fields[values: FieldName.forwardedFor]
        if !forwardedFor.isEmpty {
            guard let chain = Self.forwardedForChain(forwardedFor) else { return peer }
            clients.insert(client(of: chain, peer: peer))
        }
        return clients.count == 1 ? clients.first ?? peer : peer
    }

    private func client(of chain: [IPAddress], peer: IPAddress) -> IPAddress {
        chain.last { !isTrusted($0) } ?? chain.first ?? peer
    }

    /// Whether the request may be taken as HTTPS, or needs no HTTPS.
    ///
    /// - Parameter isTLS: whether the connection to this server is encrypted.
    func isSecure(isTLS: Bool, peer: IPAddress, fields: HTTPFields) -> Bool {
        if isTLS { return true }
        if isTrusted(peer) {
            let last = fields[values: FieldName.forwardedProto].last?.split(separator: ",").last
            return last.map { $0.lowercased().filter { $0 != " " } == "https" } ?? false
        }
        // A tool on the same machine. With forwarding headers it is a proxy that nobody configured.
        return peer.isLoopback && !Self.hasForwardingFields(fields)
    }

    private static func hasForwardingFields(_ fields: HTTPFields) -> Bool {
        fields.contains {
            $0.name == FieldName.forwarded || $0.name.canonicalName.hasPrefix("x-forwarded-")
                || $0.name.canonicalName == "x-real-ip"
        }
    }

    private static func forwardedForChain(_ values: [String]) -> [IPAddress]? {
        var chain: [IPAddress] = []
        for element in values.flatMap({ $0.split(separator: ",", omittingEmptySubsequences: false) }) {
            guard let address = address(in: element.trimmingBlanks) else { return nil }
            chain.append(address)
        }
        return chain.isEmpty ? nil : chain
    }

    /// Reads `for=` of each element of `Forwarded` (RFC 7239); elements without one make the chain malformed.
    private static func forwardedChain(_ values: [String]) -> [IPAddress]? {
        var chain: [IPAddress] = []
        for element in values.flatMap({ $0.split(separator: ",", omittingEmptySubsequences: false) }) {
            let nodes = element.split(separator: ";").compactMap { pair -> Substring? in
                let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                guard parts.count == 2, parts[0].trimmingBlanks.lowercased() == "for" else { return nil }
                return parts[1].trimmingBlanks
            }
            guard nodes.count == 1 else { return nil }
            var node = nodes[0]
            if node.first == "\"" {
                guard node.count >= 2, node.last == "\"" else { return nil }
                node = node.dropFirst().dropLast()
            }
            guard let address = address(in: node) else { return nil }
            chain.append(address)
        }
        return chain.isEmpty ? nil : chain
    }

    /// An address with or without a port: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]:80`.
    private static func address(in text: Substring) -> IPAddress? {
        if text.first == "[" {
            guard let end = text.firstIndex(of: "]") else { return nil }
            let rest = text[text.index(after: end)...]
            guard rest.isEmpty || isPort(rest) else { return nil }
            let address = IPAddress(text[text.index(after: text.startIndex)..<end])
            return address?.isV4 == true ? nil : address
        }
        if text.contains("."), let colon = text.firstIndex(of: ":"), isPort(text[colon...]) {
            return IPAddress(text[..<colon])
        }
        return IPAddress(text)
    }

    private static func isPort(_ text: Substring) -> Bool {
        let digits = text.dropFirst()
        return text.first == ":" && (1...5).contains(digits.count) && digits.utf8.allSatisfy { $0 >= 48 && $0 <= 57 }
    }
}

extension StringProtocol {
    /// Without blanks and tabs at both ends.
    fileprivate var trimmingBlanks: Substring {
        var text = Substring(self)
        while let first = text.utf8.first, first == 32 || first == 9 { text.removeFirst() }
        while let last = text.utf8.last, last == 32 || last == 9 { text.removeLast() }
        return text
    }
}
