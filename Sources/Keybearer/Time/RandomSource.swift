/// Where random bytes come from, passed in so that tests can seed it.
public struct RandomSource: Sendable {
    /// Answers the asked number of bytes. In production they come from the system's secure generator.
    public var bytes: @Sendable (Int) -> [UInt8]

    /// Wraps a function that makes random bytes.
    public init(bytes: @escaping @Sendable (Int) -> [UInt8]) {
        self.bytes = bytes
    }

    /// The operating system's cryptographically secure generator.
    public static let system = RandomSource { count in
        var generator = SystemRandomNumberGenerator()
        // Eight bytes of each call of the system: an account and its key need more than a hundred.
        return (0..<(count + 7) / 8).flatMap { number in
            withUnsafeBytes(of: generator.next()) { Array($0.prefix(count - number * 8)) }
        }
    }

    /// Random base62 characters, each of the 62 equally likely: bytes from 248 on are thrown away, as they would
    /// favour the first eight characters.
    package func base62(count: Int) -> [UInt8] {
        var characters: [UInt8] = []
        characters.reserveCapacity(count)
        while characters.count < count {
            for byte in bytes(count - characters.count + 8) where byte < 248 && characters.count < count {
                characters.append(Base62.alphabet[Int(byte % 62)])
            }
        }
        return characters
    }
}
