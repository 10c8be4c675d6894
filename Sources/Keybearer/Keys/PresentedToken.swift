import Crypto

/// The bytes of a presented token, held inline: up to 54 bytes, zero-padded, and their count in the last of 56.
///
/// A longer token, which only an imported key can be, is held as its first 22 bytes, its SHA-256 and its count.
///
/// It is a dictionary key, and the place of two security properties. The hash is keyed per process, so a client
/// cannot choose tokens that collide. Equality reads all 56 bytes whatever they hold, so its time says nothing about
/// how much of a guess was right. Making one of up to 54 bytes, and hashing and
/// comparing any, allocates nothing.
public struct PresentedToken: Sendable, Hashable {
    /// The fewest and the most bytes of a token that can be a key; imported keys have the wider range.
    static let counts = 20...128
    /// The most bytes that are held as they are: a prefix of 16 characters and the 38 behind it.
    static let mostWhole = KeyPrefix.maximumLength + SecretKey.bodyLength
    private static let size = 56
    /// How many bytes of a longer token stand before its SHA-256.
    private static let leadingCount = 22

    private typealias Words = (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64)
    private var words: Words = (0, 0, 0, 0, 0, 0, 0)

    /// Copies the bytes; nil when there are too few or too many of them for any key. Which characters they are is not
    /// looked at: what no key has is in no memory, so it is refused like any other unknown token.
    public init?(_ bytes: UnsafeBufferPointer<UInt8>) {
        guard bytes.count >= Self.counts.lowerBound, bytes.count <= Self.mostWhole else {
            guard let long = Self.longForm(bytes) else { return nil }
            words = long
            return
        }
        withUnsafeMutableBytes(of: &words) { raw in
            raw.copyMemory(from: UnsafeRawBufferPointer(bytes))
            raw[Self.size - 1] = UInt8(bytes.count)
        }
    }

    /// Not inlined: keys that were made here are never this long, and their path stays as short as it was.
    @inline(never)
    private static func longForm(_ bytes: UnsafeBufferPointer<UInt8>) -> Words? {
        guard bytes.count > mostWhole, bytes.count <= counts.upperBound else { return nil }
        var words: Words = (0, 0, 0, 0, 0, 0, 0)
        withUnsafeMutableBytes(of: &words) { raw in
            raw.copyMemory(from: UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(bytes)[..<leadingCount]))
            SHA256.hash(data: UnsafeRawBufferPointer(bytes)).withUnsafeBytes { digest in
                UnsafeMutableRawBufferPointer(rebasing: raw[leadingCount...]).copyMemory(from: digest)
            }
            raw[size - 1] = UInt8(bytes.count)
        }
        return words
    }

    /// Whether all of the token's bytes are here, and not the SHA-256 of a longer one.
    var isWhole: Bool { count <= Self.mostWhole }

    /// How many bytes were presented.
    var count: Int { withUnsafeBytes(of: words) { Int($0[Self.size - 1]) } }

    public static func == (left: PresentedToken, right: PresentedToken) -> Bool {
        let (l, r) = (left.words, right.words)
        let difference =
            (l.0 ^ r.0) | (l.1 ^ r.1) | (l.2 ^ r.2) | (l.3 ^ r.3) | (l.4 ^ r.4) | (l.5 ^ r.5) | (l.6 ^ r.6)
        return isNone(difference)
    }

    public func hash(into hasher: inout Hasher) {
        withUnsafeBytes(of: words) { hasher.combine(bytes: $0) }
    }

    /// What hashes are keyed with: made at random for each process, and never shown.
    struct HashSeed: Sendable {
        let words: (UInt64, UInt64, UInt64, UInt64)

        init(from random: RandomSource) {
            let bytes = random.bytes(32)
            func word(_ index: Int) -> UInt64 { bytes[index * 8..<index * 8 + 8].reduce(0) { $0 << 8 | UInt64($1) } }
            words = (word(0), word(1), word(2), word(3))
        }
    }

    /// A hash of all 56 bytes for finding a slot, at a fraction of the cost of the standard one.
    ///
    /// Keyed, so that nobody can choose tokens that share a slot; and nothing is decided by it: whoever finds a slot
    /// compares the whole token.
    func hash(keyed seed: HashSeed) -> UInt64 {
        func fold(_ left: UInt64, _ right: UInt64) -> UInt64 {
            let product = left.multipliedFullWidth(by: right)
            return product.high ^ product.low
        }
        let s = seed.words
        let first = fold(words.0 ^ s.0, words.1 ^ s.1)
        let second = fold(words.2 ^ s.2, words.3 ^ s.3)
        let third = fold(words.4 ^ s.1, words.5 ^ s.2)
        return fold(first ^ words.6 ^ s.3, second ^ s.0) ^ fold(third ^ s.3, first ^ s.2)
    }

    /// Calls `body` with the bytes by which the token is known: all of its own, without the padding, or for a longer
    /// one all 56, which stand for no other token.
    func withBytes<Result>(_ body: (UnsafeBufferPointer<UInt8>) -> Result) -> Result {
        withUnsafeBytes(of: words) { raw in
            let count = Int(raw[Self.size - 1])
            let known = count <= Self.mostWhole ? count : Self.size
            return body(UnsafeBufferPointer(rebasing: raw.assumingMemoryBound(to: UInt8.self)[..<known]))
        }
    }
}

extension PresentedToken: CustomStringConvertible, CustomReflectable {
    /// Says only what it is: the bytes may be a live key.
    public var description: String { "token of \(count) bytes" }
    public var customMirror: Mirror { Mirror(self, children: []) }
}
