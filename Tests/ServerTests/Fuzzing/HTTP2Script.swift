/// What a hostile client sends over HTTP/2: frames at random, many of them well-formed.
struct HTTP2Script {
    private(set) var bytes: [UInt8] = []
    private var numbers: FuzzNumbers
    private var nextStream: UInt32 = 1

    init(seed: UInt64) {
        numbers = FuzzNumbers(seed: seed)
        if !numbers.once(in: 16) { bytes += Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) }
        if !numbers.once(in: 8) { settings() }
        for _ in 0..<numbers.below(16) { step() }
        numbers.mutate(&bytes, onceIn: 4)
    }

    private mutating func step() {
        switch numbers.below(20) {
        case 0...4: request()
        case 5: settings()
        case 6: frame(8, 0, stream(), number(numbers.pick([0, 1, 0x7FFF_FFFF, 0xFFFF_FFFF, 65_535])))
        case 7: frame(3, 0, stream(), number(UInt32(numbers.below(16))))
        case 8: frame(0, flags(), stream(), noise(200))
        case 9: frame(1, flags(), stream(), noise(200))
        case 10: frame(9, flags(), stream(), noise(200))
        case 11: frame(UInt8(numbers.below(16)), flags(), stream(), noise(40))
        case 12: frame(UInt8(truncatingIfNeeded: numbers.next()), flags(), stream(), noise(40))
        case 13: frame(7, 0, 0, number(0x7FFF_FFFF) + number(UInt32(numbers.below(16))) + noise(20))
        case 14: frame(5, flags(), stream(), number(stream()) + noise(40))
        case 15: frame(2, 0, stream(), number(stream()) + [UInt8(truncatingIfNeeded: numbers.next())])
        case 16: frame(6, flags(), 0, Array(repeating: 7, count: numbers.once(in: 4) ? numbers.below(20) : 8))
        case 17: frame(0, 0, stream(), [], length: UInt32(numbers.below(1 << 24)))
        default: if numbers.once(in: 4) { flood() }
        }
    }

    private mutating func flood() {
        let times = numbers.below(numbers.once(in: 8) ? 2_000 : 200)
        let kind = numbers.below(6)
        let open = stream()
        if kind == 1 { frame(1, 0, open, Self.block("GET", "/readyz")) }
        for _ in 0..<times {
            switch kind {
            case 0:
                let stream = fresh()
                frame(1, 5, stream, Self.block("GET", "/readyz"))
                frame(3, 0, stream, number(8))
            case 1: frame(9, 0, open, Self.literal("x-a", "b"))
            case 2: frame(4, 0, 0, [])
            case 3: frame(6, 0, 0, Array(repeating: 1, count: 8))
            case 4: frame(0, 0, open, [])
            default: frame(8, 0, numbers.once(in: 2) ? 0 : open, number(1))
            }
        }
    }

    private mutating func request() {
        let stream = numbers.once(in: 8) ? stream() : fresh()
        let isPost = numbers.once(in: 3)
        var block = Self.block(
            isPost ? "POST" : "GET", numbers.pick(["/readyz", "/api/v1/me", "/sign-in", "/", "*", "/\u{1}", ""]))
        for _ in 0..<numbers.below(4) {
            switch numbers.below(10) {
            case 0: block += Self.literal(numbers.pick([":path", ":x", "A", "", "te", "connection", "host"]), "a")
            case 1: block += Self.literal("content-length", numbers.pick(["0", "5", "-1", "99999999999999999999"]))
            // An index that no table has, a number without end, a table of another size, broken Huffman codes.
            case 2: block += [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F]
            case 3: block += [0x3F] + Array(repeating: 0xFF, count: numbers.below(12)) + [0x01]
            case 4: block += [0x20 | UInt8(numbers.below(32))]
            case 5: block += [0x00, 0x83, 0xFF, 0xFF, 0xFF, 0x82, 0xFE, 0xFF]
            case 6: block += [0x40, 0x01, 0x61, 0x7F, 0x80, 0x7F] + noise(300)
            default: block += Self.literal("authorization", "Bearer x")
            }
        }
        if numbers.once(in: 8) { numbers.mutate(&block, onceIn: 1) }
        let ends = isPost ? numbers.below(2) : 1
        if numbers.once(in: 4) {
            let cut = numbers.below(block.count + 1)
            frame(1, UInt8(ends), stream, Array(block[..<cut]))
            if numbers.once(in: 4) { step() }
            frame(9, numbers.once(in: 4) ? 0 : 4, stream, Array(block[cut...]))
        } else {
            frame(1, numbers.once(in: 8) ? flags() : 4 | UInt8(ends), stream, block)
        }
        if isPost { frame(0, UInt8(numbers.below(2)), stream, noise(60)) }
    }

    private mutating func settings() {
        var payload: [UInt8] = []
        for _ in 0..<numbers.below(4) {
            payload += [0, UInt8(numbers.below(10))]
            payload += number(numbers.pick([0, 1, 100, 4_096, 16_384, 65_535, 0x7FFF_FFFF, 0xFFFF_FFFF]))
        }
        if numbers.once(in: 16) { payload += noise(5) }
        frame(4, numbers.once(in: 8) ? flags() : 0, numbers.once(in: 16) ? stream() : 0, payload)
    }

    private mutating func frame(
        _ kind: UInt8, _ flags: UInt8, _ stream: UInt32, _ payload: [UInt8], length: UInt32? = nil
    ) {
        let isWrong = numbers.once(in: 64)
        let count = length ?? (isWrong ? UInt32(numbers.below(300)) : UInt32(payload.count))
        bytes += number(count).dropFirst() + [kind, flags] + number(stream) + payload
    }

    /// A stream that has not been used.
    private mutating func fresh() -> UInt32 {
        defer { nextStream += 2 }
        return nextStream
    }

    private mutating func stream() -> UInt32 {
        numbers.pick([
            0, 1, 1, 2, 3, nextStream, nextStream &- 2, 0x7FFF_FFFF, UInt32(truncatingIfNeeded: numbers.next()),
        ])
    }

    private mutating func flags() -> UInt8 {
        numbers.pick([0, 1, 4, 5, 8, 0x20, 0x2D, UInt8(truncatingIfNeeded: numbers.next())])
    }

    private mutating func noise(_ most: Int) -> [UInt8] {
        (0..<numbers.below(most)).map { _ in UInt8(truncatingIfNeeded: numbers.next()) }
    }

    private func number(_ number: UInt32) -> [UInt8] { withUnsafeBytes(of: number.bigEndian) { Array($0) } }

    private static func literal(_ name: String, _ value: String) -> [UInt8] {
        [0, UInt8(name.utf8.count)] + Array(name.utf8) + [UInt8(value.utf8.count)] + Array(value.utf8)
    }

    private static func block(_ method: String, _ path: String) -> [UInt8] {
        literal(":method", method) + literal(":scheme", "https") + literal(":path", path)
            + literal(":authority", "localhost")
    }
}
