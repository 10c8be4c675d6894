/// The bytes of a presented token, held inline: 55 bytes, zero-padded, and their count in the last of 56.
///
/// It is a dictionary key, and the place of two security properties. The hash is keyed per process, so a client
/// cannot choose tokens that collide. Equality reads all 56 bytes whatever they hold, so its time says nothing about
/// how much of a guess was right. Making, hashing and comparing one allocates nothing.
public struct PresentedToken: Sendable, Hashable {
    /// The longest token that can be a key: a prefix of 16 characters and the 38 behind it.
    static let maximumCount = KeyPrefix.maximumLength + SecretKey.bodyLength
    private static let size = 56

    private typealias Words = (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64)
    private var words: Words = (0, 0, 0, 0, 0, 0, 0)

    /// Copies the bytes; nil when there are too few or too many of them for any key.
    public init?(_ bytes: UnsafeBufferPointer<UInt8>) {
        guard bytes.count > SecretKey.bodyLength + 1, bytes.count <= Self.maximumCount else { return nil }
        withUnsafeMutableBytes(of: &words) { raw in
            raw.copyMemory(from: UnsafeRawBufferPointer(bytes))
            raw[Self.size - 1] = UInt8(bytes.count)
        }
    }

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

    /// Calls `body` with the token's bytes, without the padding.
    func withBytes<Result>(_ body: (UnsafeBufferPointer<UInt8>) -> Result) -> Result {
        withUnsafeBytes(of: words) { raw in
            body(UnsafeBufferPointer(rebasing: raw.assumingMemoryBound(to: UInt8.self)[..<Int(raw[Self.size - 1])]))
        }
    }
}

extension PresentedToken: CustomStringConvertible, CustomReflectable {
    /// Says only what it is: the bytes may be a live key.
    public var description: String { "token of \(count) bytes" }
    public var customMirror: Mirror { Mirror(self, children: []) }
}
