#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

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

    /// Stands for a client whose address nobody has said: all bits are set, which no client's are. It is never stored.
    public static let unknown = IPAddress(high: .max, low: .max)

    /// Whether it is the address of a client: neither ``localSocket`` nor ``unknown``.
    var isClient: Bool { self != .localSocket && self != .unknown }

    /// One for examples (RFC 5737).
    package static let documentation = IPAddress(v4: 0xC633_6407)

    /// `::1`.
    package static let loopback = IPAddress(high: 0, low: 1)

    /// The address for a person: its usual text, or "local socket".
    public var displayName: String { self == .localSocket ? "local socket" : description }

    /// The address for a program: its usual text, or nil for a local socket and where it is not known.
    public var textIfAny: String? { isClient ? description : nil }

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

extension IPAddress: CustomStringConvertible {
    /// Reads `192.0.2.1` or `2001:db8::1`; nil for anything else, zone ids and ports included.
    public init?(_ text: some StringProtocol) {
        guard text.utf8.count <= 45, !text.utf8.contains(0) else { return nil }
        let text = String(text)
        var v4 = in_addr()
        if inet_pton(AF_INET, text, &v4) == 1 {
            self.init(v4: UInt32(bigEndian: v4.s_addr))
            return
        }
        var v6 = in6_addr()
        guard inet_pton(AF_INET6, text, &v6) == 1 else { return nil }
        let halves = withUnsafeBytes(of: &v6) { bytes in
            (bytes.loadUnaligned(as: UInt64.self), bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
        }
        self.init(high: UInt64(bigEndian: halves.0), low: UInt64(bigEndian: halves.1))
    }

    /// Reads an address that may name its zone, such as `fe80::1%eth0`. The zone, the name of a local interface, is
    /// dropped.
    public init?(zoned text: some StringProtocol) {
        guard let percent = text.utf8.firstIndex(of: UInt8(ascii: "%")) else {
            self.init(text)
            return
        }
        let zone = text.utf8[text.utf8.index(after: percent)...]
        let isZone = zone.allSatisfy { $0.isASCIILetterOrDigit || "-._~%".utf8.contains($0) }
        guard (1...64).contains(zone.count), isZone, text[..<percent].utf8.contains(UInt8(ascii: ":")) else {
            return nil
        }
        self.init(text[..<percent])
    }

    /// Reads `192.0.2.1` from bytes, without making text of them; nil for anything else, IPv6 included.
    public init?(dottedQuad bytes: UnsafeRawBufferPointer) {
        guard (7...15).contains(bytes.count) else { return nil }
        var address: UInt32 = 0
        var part: UInt32 = 0
        var digits = 0
        var dots = 0
        for byte in bytes {
            if byte == UInt8(ascii: ".") {
                guard digits > 0, dots < 3 else { return nil }
                address = address << 8 | part
                (part, digits, dots) = (0, 0, dots + 1)
            } else {
                // No leading zeros: elsewhere they would make the number octal.
                guard (48...57).contains(byte), digits < 3, digits == 0 || part > 0 else { return nil }
                part = part * 10 + UInt32(byte - 48)
                digits += 1
                guard part <= 255 else { return nil }
            }
        }
        guard dots == 3, digits > 0 else { return nil }
        self.init(v4: address << 8 | part)
    }

    /// The usual text of the address; IPv4-mapped addresses show as IPv4.
    public var description: String {
        if isV4 {
            return ASCIIText.make(capacity: 15) { text in
                for shift in [24, 16, 8, 0] as [UInt64] {
                    text.number(Int64((low >> shift) & 0xFF))
                    if shift > 0 { text.byte(UInt8(ascii: ".")) }
                }
            }
        }
        var halves = (high.bigEndian, low.bigEndian)
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        _ = inet_ntop(AF_INET6, &halves, &text, socklen_t(text.count))
        return text.withUnsafeBufferPointer { buffer in
            String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        }
    }
}
