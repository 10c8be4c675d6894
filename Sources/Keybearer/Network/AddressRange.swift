/// A block of addresses in CIDR form, `10.0.0.0/8` or `2001:db8::/32`; one address alone is a block of one.
///
/// A block of IPv4-mapped addresses is the IPv4 block: `::ffff:10.0.0.0/104` is `10.0.0.0/8`.
public struct AddressRange: Sendable, Hashable, CustomStringConvertible {
    /// The numbers alone: what a look at an address needs.
    struct Block: Sendable, Hashable {
        let base: IPAddress
        let highMask: UInt64
        let lowMask: UInt64

        /// Whether the address lies in the block.
        @inline(__always)
        func contains(_ address: IPAddress) -> Bool {
            address.high & highMask == base.high && address.low & lowMask == base.low
        }
    }

    let block: Block
    public let description: String

    /// Why a text is no block of addresses, as a sentence for the operator.
    public struct Problem: Error, Hashable, CustomStringConvertible {
        public let description: String
    }

    /// Reads a block.
    ///
    /// - Throws: ``Problem`` when the address or the length is wrong, or when host bits are set: `10.0.0.1/8` is more
    ///   often a slip than a wish.
    public init(parsing text: String) throws(Problem) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count <= 2, let base = IPAddress(parts[0]) else {
            throw Self.unreadable(text, address: parts[0])
        }
        let width = base.isV4 ? 32 : 128
        let length = parts.count == 2 ? try Self.length(parts[1], of: base, in: text) : width
        let (highMask, lowMask) = Self.masks(bits: length + 128 - width)
        let network = IPAddress(high: base.high & highMask, low: base.low & lowMask)
        guard network == base else {
            throw Problem(description: "'\(text)' is refused because host bits are set; write \(network)/\(length)")
        }
        block = Block(base: base, highMask: highMask, lowMask: lowMask)
        description = text
    }

    /// The network that an address has for itself: an IPv4 address alone, or the /64 of an IPv6 address, since one
    /// client has that many.
    public init(around address: IPAddress) {
        let bits = address.isV4 ? 128 : 64
        let (highMask, lowMask) = Self.masks(bits: bits)
        block = Block(base: address.throttlingNetwork, highMask: highMask, lowMask: lowMask)
        description = "\(block.base)/\(address.isV4 ? 32 : bits)"
    }

    /// - Parameter bits: how many leading bits of 128 are the network's.
    private static func masks(bits: Int) -> (high: UInt64, low: UInt64) {
        (
            bits >= 64 ? .max : bits == 0 ? 0 : .max << UInt64(64 - bits),
            bits <= 64 ? 0 : bits == 128 ? .max : .max << UInt64(128 - bits)
        )
    }

    /// The block in one form, whatever form it was written in: the network, with its length.
    public var canonicalForm: String {
        let bits = block.highMask.nonzeroBitCount + block.lowMask.nonzeroBitCount
        // A block of IPv4 addresses lies within the 32 lowest bits.
        return block.base.isV4 && bits >= 96 ? "\(block.base)/\(bits - 96)" : "\(block.base)/\(bits)"
    }

    /// Reads a block; nil where ``init(parsing:)`` throws.
    public init?(_ text: String) {
        guard let range = try? AddressRange(parsing: text) else { return nil }
        self = range
    }

    /// The length behind the slash, as a length of the address's own family.
    private static func length(_ text: Substring, of base: IPAddress, in whole: String) throws(Problem) -> Int {
        let isMapped = base.isV4 && whole.utf8.contains(UInt8(ascii: ":"))
        let allowed = isMapped ? 96...128 : base.isV4 ? 0...32 : 0...128
        guard let length = Int(text), String(length) == text, allowed.contains(length) else {
            let bounds = "from \(allowed.lowerBound) to \(allowed.upperBound)"
            throw Problem(description: "'\(whole)' needs a length \(bounds) after the slash")
        }
        return isMapped ? length - 96 : length
    }

    private static func unreadable(_ text: String, address: Substring) -> Problem {
        if let percent = address.firstIndex(of: "%"), IPAddress(address[..<percent]) != nil {
            return Problem(
                description: "'\(text)' has a zone, which a network cannot have; leave out the % and the zone")
        }
        return Problem(description: "'\(text)' is neither a network such as 10.0.0.0/8 or 2001:db8::/32 nor an address")
    }

    /// Whether the address lies in the block.
    public func contains(_ address: IPAddress) -> Bool { block.contains(address) }

    /// The block as numbers, the first address and the last.
    var bounds: ClosedRange<UInt128> {
        let first = UInt128(block.base.high) << 64 | UInt128(block.base.low)
        return first...(first | UInt128(~block.highMask) << 64 | UInt128(~block.lowMask))
    }
}
