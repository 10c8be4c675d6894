/// A block of addresses in CIDR form, `10.0.0.0/8` or `2001:db8::/32`; one address alone is a block of one.
///
/// A block of IPv4-mapped addresses is the IPv4 block: `::ffff:10.0.0.0/104` is `10.0.0.0/8`.
public struct AddressRange: Sendable, Hashable, CustomStringConvertible {
    private let base: IPAddress
    private let highMask: UInt64
    private let lowMask: UInt64
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
        let bits = length + 128 - width
        highMask = bits >= 64 ? .max : bits == 0 ? 0 : .max << UInt64(64 - bits)
        lowMask = bits <= 64 ? 0 : bits == 128 ? .max : .max << UInt64(128 - bits)
        let network = IPAddress(high: base.high & highMask, low: base.low & lowMask)
        guard network == base else {
            throw Problem(description: "'\(text)' is refused because host bits are set; write \(network)/\(length)")
        }
        self.base = base
        description = text
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
    public func contains(_ address: IPAddress) -> Bool {
        address.high & highMask == base.high && address.low & lowMask == base.low
    }

    /// The block as numbers, the first address and the last.
    var bounds: ClosedRange<UInt128> {
        let first = UInt128(base.high) << 64 | UInt128(base.low)
        return first...(first | UInt128(~highMask) << 64 | UInt128(~lowMask))
    }
}
