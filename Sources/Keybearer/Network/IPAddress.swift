/// An IPv4 or IPv6 address, held inline as 128 bits; IPv4 is kept as `::ffff:a.b.c.d` and shown as `a.b.c.d`.
public struct IPAddress: Sendable, Hashable {
    /// The upper 64 bits, in network order.
    public let high: UInt64
    /// The lower 64 bits, in network order.
    public let low: UInt64

    /// Wraps 128 bits.
    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Wraps the four bytes of an IPv4 address, the first in the highest bits.
    public init(v4 address: UInt32) {
        self.init(high: 0, low: 0xFFFF_0000_0000 | UInt64(address))
    }

    /// Stands for the peer of a Unix socket, which has no address. It is the unspecified address `::`, which no client
    /// has, and it is stored as that.
    public static let localSocket = IPAddress(high: 0, low: 0)

    /// The address for a person: its usual text, or "local socket".
    public var displayName: String { self == .localSocket ? "local socket" : description }

    /// The address for a program: its usual text, or nil for a local socket.
    public var textIfAny: String? { self == .localSocket ? nil : description }

    /// Whether it is an IPv4 address, mapped or not.
    public var isV4: Bool { high == 0 && low >> 32 == 0xFFFF }

    /// Whether it is `127.0.0.0/8` or `::1`.
    public var isLoopback: Bool {
        isV4 ? (low >> 24) & 0xFF == 127 : high == 0 && low == 1
    }

    /// The address with all but its leading bits cleared: the network that a household or a host has for itself.
    ///
    /// IPv4 stays whole; IPv6 is cut to its /64, since one client commands that many addresses.
    public var throttlingNetwork: IPAddress { isV4 ? self : IPAddress(high: high, low: 0) }
}
