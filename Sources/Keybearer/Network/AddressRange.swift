/// A block of addresses in CIDR form, `10.0.0.0/8` or `2001:db8::/32`; one address alone is a block of one.
public struct AddressRange: Sendable, Hashable, CustomStringConvertible {
    private let base: IPAddress
    private let highMask: UInt64
    private let lowMask: UInt64
    public let description: String

    /// Reads a block. Answers nil when the address or the length is wrong, or when bits behind the length are set:
    /// `10.0.0.1/8` is more often a slip than a wish.
    public init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count <= 2, let base = IPAddress(parts[0]) else { return nil }
        let width = base.isV4 ? 32 : 128
        var length = width
        if parts.count == 2 {
            guard let given = Int(parts[1]), String(given) == parts[1], (0...width).contains(given) else { return nil }
            length = given
        }
        let bits = length + 128 - width
        highMask = bits >= 64 ? .max : bits == 0 ? 0 : .max << UInt64(64 - bits)
        lowMask = bits <= 64 ? 0 : bits == 128 ? .max : .max << UInt64(128 - bits)
        guard base.high & ~highMask == 0, base.low & ~lowMask == 0 else { return nil }
        self.base = base
        description = text
    }

    /// Whether the address lies in the block.
    public func contains(_ address: IPAddress) -> Bool {
        address.high & highMask == base.high && address.low & lowMask == base.low
    }

    /// Whether the block is every IPv4 or every IPv6 address: as a trusted list it would trust every client.
    public var isEverything: Bool { (highMask == 0 && lowMask == 0) || (base.isV4 && lowMask == 0xFFFF_FFFF_0000_0000) }
}
