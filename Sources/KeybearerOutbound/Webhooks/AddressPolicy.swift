package import Keybearer
import NIOCore

/// Which addresses endpoints may have: those of the public internet, none of this machine, and what the operator allows.
///
/// Closed by default: an address passes only where it is known to be global unicast. It is looked at behind every
/// resolution, and the connection goes to the very address that was looked at.
package struct AddressPolicy: Sendable {
    private let allowed: [AddressRange]
    private let own: @Sendable () -> [IPAddress]
    private let isPublic: @Sendable (IPAddress) -> Bool

    /// - Parameters:
    ///   - allowed: networks that may be called although they are not public.
    ///   - own: this machine's addresses, asked for each time.
    ///   - isPublic: whether an address is global unicast.
    package init(
        allowed: [AddressRange] = [], own: @escaping @Sendable () -> [IPAddress] = AddressPolicy.ownAddresses,
        isPublic: @escaping @Sendable (IPAddress) -> Bool = AddressPolicy.isPublic
    ) {
        self.allowed = allowed
        self.own = own
        self.isPublic = isPublic
    }

    /// Whether an address may be called.
    package func allows(_ address: IPAddress) -> Bool {
        isAllowedByOperator(address) || isPublic(address) && !isOwn(address)
    }

    /// Whether an address is one that only the operator's list lets pass. What answers there is nobody's to read.
    package func isPrivate(_ address: IPAddress) -> Bool { !isPublic(address) || isOwn(address) }

    private func isOwn(_ address: IPAddress) -> Bool {
        let own = own()
        return own.contains(address) || Self.behindTranslation(address).map(own.contains) ?? false
    }

    /// Whether the operator's list holds an address.
    package func isAllowedByOperator(_ address: IPAddress) -> Bool { allowed.contains { $0.contains(address) } }

    /// The addresses of this machine's interfaces; a machine that does not tell has none to hide.
    package static func ownAddresses() -> [IPAddress] {
        let devices = (try? System.enumerateDevices()) ?? []
        return devices.compactMap { $0.address?.ipAddress.flatMap { IPAddress(zoned: $0) } }
    }

    /// Whether an address is global unicast, by the IANA's registries of special-purpose addresses.
    package static func isPublic(_ address: IPAddress) -> Bool {
        if address.isV4 { return !specialV4.contains { $0.contains(address) } }
        if let behind = behindTranslation(address) { return isPublic(behind) }
        return globalV6.contains { $0.contains(address) } && !specialV6.contains { $0.contains(address) }
    }

    /// NAT64 (RFC 6052): whoever translates calls the IPv4 address that such an address ends with.
    private static func behindTranslation(_ address: IPAddress) -> IPAddress? {
        guard !address.isV4, translated.contains(where: { $0.contains(address) }) else { return nil }
        return IPAddress(v4: UInt32(truncatingIfNeeded: address.low))
    }

    private static func ranges(_ texts: String...) -> [AddressRange] {
        texts.map { text in
            guard let range = AddressRange(text) else { preconditionFailure("\(text) is a network") }
            return range
        }
    }

    private static let specialV4 = ranges(
        // This network, private, shared, loopback, link-local with the clouds' metadata.
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16",
        // Protocol assignments, documentation, 6to4 relays, benchmarks.
        "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
        // Multicast, reserved, broadcast.
        "224.0.0.0/4", "240.0.0.0/4")
    private static let translated = ranges("64:ff9b::/96")
    /// All that is assigned as global unicast. Unique local, link-local, multicast and mapped addresses lie outside.
    private static let globalV6 = ranges("2000::/3")
    private static let specialV6 = ranges(
        // Protocol assignments with Teredo, documentation, 6to4: the last carries an IPv4 address inside.
        "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
}
