/// The first eight bytes of a key's digest, as a number: enough to tell whether a token may be an imported key.
///
/// The digest is keyed, so nobody without the master keys can choose tokens whose prefixes are alike.
package struct DigestPrefix: Sendable, Hashable {
    /// The bytes as a big-endian number.
    package let value: UInt64

    /// Wraps a number.
    package init(_ value: UInt64) {
        self.value = value
    }

    /// Reads the first eight bytes; nil where there are fewer.
    package init?(_ digest: UnsafeRawBufferPointer) {
        guard digest.count >= 8 else { return nil }
        value = UInt64(bigEndian: digest.loadUnaligned(as: UInt64.self))
    }

    /// How many digits ``hexadecimal`` has.
    package static let hexadecimalLength = 16

    /// The number with all its digits.
    package var hexadecimal: String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: Self.hexadecimalLength - digits.utf8.count) + digits
    }

    /// Reads ``hexadecimal``; nil for anything else.
    package init?(hexadecimal digits: some Collection<UInt8>) {
        let isHexadecimal = digits.allSatisfy { (48...57).contains($0) || (97...102).contains($0) }
        guard digits.count == Self.hexadecimalLength, isHexadecimal,
            let value = UInt64(String(decoding: digits, as: UTF8.self), radix: 16)
        else { return nil }
        self.init(value)
    }

    /// Reads the first eight bytes; nil where there are fewer.
    package init?(_ digest: [UInt8]) {
        guard let prefix = digest.withUnsafeBytes({ DigestPrefix($0) }) else { return nil }
        self = prefix
    }
}

/// An exact set of prefixes: open addressing with linear probing, eight bytes a slot and nothing else.
///
/// It only grows. Built from all prefixes it takes 10.7 bytes for each, and while it grows 9.1 to 13.7. The prefixes are
/// as good as random, so their highest bits choose the slot. Not safe by itself: ``ImportedKeys`` holds its lock.
struct DigestPrefixTable: Sendable {
    /// 0 where the slot is free.
    private var slots: [UInt64] = []
    /// How many prefixes it holds.
    private(set) var count = 0

    private static var smallest: Int { 16 }

    /// An empty table.
    init() {}

    /// A table of these prefixes.
    init(_ prefixes: [DigestPrefix]) {
        slots = Array(repeating: 0, count: max(Self.smallest, (prefixes.count * 4 + 2) / 3))
        for prefix in prefixes { insert(prefix) }
    }

    /// How many bytes its slots take.
    var byteCount: Int { slots.count * MemoryLayout<UInt64>.size }

    /// Whether it holds a prefix.
    func contains(_ prefix: DigestPrefix) -> Bool {
        guard count > 0 else { return false }
        let wanted = Self.stored(prefix)
        return slots[place(of: wanted)] == wanted
    }

    /// Puts a prefix in.
    mutating func insert(_ prefix: DigestPrefix) {
        if (count + 1) * 8 > slots.count * 7 { grow() }
        let wanted = Self.stored(prefix)
        let place = place(of: wanted)
        guard slots[place] == 0 else { return }
        slots[place] = wanted
        count += 1
    }

    /// The slot of a prefix, or the free one where it belongs.
    private func place(of wanted: UInt64) -> Int {
        var place = Int(truncatingIfNeeded: wanted.multipliedFullWidth(by: UInt64(slots.count)).high)
        while slots[place] != 0, slots[place] != wanted {
            place += 1
            if place == slots.count { place = 0 }
        }
        return place
    }

    private mutating func grow() {
        let old = slots
        slots = Array(repeating: 0, count: max(Self.smallest, old.count * 3 / 2))
        for stored in old where stored != 0 { slots[place(of: stored)] = stored }
    }

    /// The one prefix that is 0 is held as 1: that two are one of 2^64 is less likely than anything else.
    private static func stored(_ prefix: DigestPrefix) -> UInt64 { max(1, prefix.value) }
}
