/// The modules of a QR code while it is made.
struct QRSymbol: Sendable {
    let size: Int
    private(set) var modules: [Bool]
    /// Which modules belong to patterns that no mask changes.
    private var isFunction: [Bool]
    private let version: QRVersion

    /// Function patterns and data, without a mask and without the format; nil for too many bytes.
    init?(bytes: [UInt8]) {
        guard let version = QRVersion(holding: bytes.count) else { return nil }
        self.version = version
        size = version.size
        modules = Array(repeating: false, count: size * size)
        isFunction = modules
        drawFunctionPatterns()
        drawCodewords(Self.codewords(bytes, version))
    }

    /// The symbol under a mask, with the format that names it.
    func masked(by mask: Int) -> QRSymbol {
        var copy = self
        for row in 0..<size {
            for column in 0..<size where !isFunction[row * size + column] && Self.inverts(mask, row, column) {
                copy.modules[row * size + column].toggle()
            }
        }
        copy.drawFormat(mask)
        return copy
    }

    private static func inverts(_ mask: Int, _ row: Int, _ column: Int) -> Bool {
        switch mask {
        case 0: (row + column) % 2 == 0
        case 1: row % 2 == 0
        case 2: column % 3 == 0
        case 3: (row + column) % 3 == 0
        case 4: (row / 2 + column / 3) % 2 == 0
        case 5: row * column % 2 + row * column % 3 == 0
        case 6: (row * column % 2 + row * column % 3) % 2 == 0
        default: ((row + column) % 2 + row * column % 3) % 2 == 0
        }
    }

    // MARK: - Data

    /// Data and correction codewords, interleaved block by block.
    private static func codewords(_ bytes: [UInt8], _ version: QRVersion) -> [UInt8] {
        var bits: [Bool] = []
        func append(_ value: Int, _ length: Int) {
            for bit in (0..<length).reversed() { bits.append(value >> bit & 1 == 1) }
        }
        append(0b0100, 4)
        append(bytes.count, version.countLength)
        for byte in bytes { append(Int(byte), 8) }
        append(0, min(4, version.dataLength * 8 - bits.count))
        append(0, (8 - bits.count % 8) % 8)
        var data = stride(from: 0, to: bits.count, by: 8).map { start in
            bits[start..<start + 8].reduce(UInt8(0)) { $0 << 1 | ($1 ? 1 : 0) }
        }
        for index in 0..<version.dataLength - data.count { data.append(index % 2 == 0 ? 0xEC : 0x11) }
        return interleaved(data, version)
    }

    private static func interleaved(_ data: [UInt8], _ version: QRVersion) -> [UInt8] {
        let count = version.blockCount
        let shortLength = data.count / count
        // The blocks behind these are one codeword longer.
        let shortCount = count - data.count % count
        var (blocks, start) = ([[UInt8]](), 0)
        for number in 0..<count {
            let length = shortLength + (number < shortCount ? 0 : 1)
            blocks.append(Array(data[start..<start + length]))
            start += length
        }
        let corrections = blocks.map { ReedSolomon.correction(of: $0, length: version.correctionLength) }
        let ordered = (0...shortLength).flatMap { index in blocks.compactMap { index < $0.count ? $0[index] : nil } }
        return ordered + (0..<version.correctionLength).flatMap { index in corrections.map { $0[index] } }
    }

    /// In columns of two modules, from the right, up and down by turns.
    private mutating func drawCodewords(_ codewords: [UInt8]) {
        var bit = 0
        var isUpward = true
        for right in stride(from: size - 1, through: 1, by: -2).map({ $0 <= 6 ? $0 - 1 : $0 }) {
            for step in 0..<size {
                let row = isUpward ? size - 1 - step : step
                for column in [right, right - 1] where !isFunction[row * size + column] && bit < codewords.count * 8 {
                    modules[row * size + column] = codewords[bit / 8] >> (7 - bit % 8) & 1 == 1
                    bit += 1
                }
            }
            isUpward.toggle()
        }
    }

    // MARK: - Patterns

    private mutating func set(_ row: Int, _ column: Int, _ isDark: Bool) {
        modules[row * size + column] = isDark
        isFunction[row * size + column] = true
    }

    private mutating func drawFunctionPatterns() {
        for index in 0..<size {
            set(6, index, index % 2 == 0)
            set(index, 6, index % 2 == 0)
        }
        for (row, column) in [(3, 3), (3, size - 4), (size - 4, 3)] { drawFinder(row, column) }
        let centres = version.alignmentCentres
        for row in centres {
            for column in centres {
                let isAtFinder = [(6, 6), (6, size - 7), (size - 7, 6)].contains { $0 == (row, column) }
                if !isAtFinder { drawAlignment(row, column) }
            }
        }
        drawFormat(0)
        drawVersion()
    }

    /// With the light border around it.
    private mutating func drawFinder(_ row: Int, _ column: Int) {
        for down in -4...4 {
            for across in -4...4 {
                let (y, x) = (row + down, column + across)
                guard (0..<size).contains(y), (0..<size).contains(x) else { continue }
                let distance = max(abs(down), abs(across))
                set(y, x, distance != 2 && distance != 4)
            }
        }
    }

    private mutating func drawAlignment(_ row: Int, _ column: Int) {
        for down in -2...2 {
            for across in -2...2 { set(row + down, column + across, max(abs(down), abs(across)) != 1) }
        }
    }

    /// Level M and the mask, twice, with a BCH code.
    private mutating func drawFormat(_ mask: Int) {
        var remainder = mask
        for _ in 0..<10 { remainder = (remainder << 1) ^ ((remainder >> 9) * 0x537) }
        let bits = (mask << 10 | remainder) ^ 0x5412
        func bit(_ index: Int) -> Bool { bits >> index & 1 == 1 }
        for index in 0..<6 { set(index, 8, bit(index)) }
        set(7, 8, bit(6))
        set(8, 8, bit(7))
        set(8, 7, bit(8))
        for index in 9..<15 { set(8, 14 - index, bit(index)) }
        for index in 0..<8 { set(8, size - 1 - index, bit(index)) }
        for index in 8..<15 { set(size - 15 + index, 8, bit(index)) }
        set(size - 8, 8, true)
    }

    /// From version 7 on, twice, with a Golay code.
    private mutating func drawVersion() {
        guard version.number >= 7 else { return }
        var remainder = version.number
        for _ in 0..<12 { remainder = (remainder << 1) ^ ((remainder >> 11) * 0x1F25) }
        let bits = version.number << 12 | remainder
        for index in 0..<18 {
            let isDark = bits >> index & 1 == 1
            let (far, near) = (size - 11 + index % 3, index / 3)
            set(near, far, isDark)
            set(far, near, isDark)
        }
    }
}

extension QRSymbol {
    /// How hard it is to scan, by the rules of the standard: long runs, blocks, what looks like a finder, imbalance.
    var penalty: Int {
        var sum = 0
        for line in 0..<size {
            sum += Self.penalty(ofLine: (0..<size).map { modules[line * size + $0] })
            sum += Self.penalty(ofLine: (0..<size).map { modules[$0 * size + line] })
        }
        for row in 0..<size - 1 {
            for column in 0..<size - 1 {
                let first = row * size + column
                let isBlock = [first + 1, first + size, first + size + 1].allSatisfy { modules[$0] == modules[first] }
                if isBlock { sum += 3 }
            }
        }
        let dark = modules.count { $0 }
        return sum + abs(dark * 20 - modules.count * 10) / modules.count * 10
    }

    private static let finderLike: [[Bool]] = [
        [true, false, true, true, true, false, true, false, false, false, false],
        [false, false, false, false, true, false, true, true, true, false, true],
    ]

    private static func penalty(ofLine line: [Bool]) -> Int {
        var (sum, length) = (0, 1)
        for index in 1...line.count {
            if index < line.count, line[index] == line[index - 1] {
                length += 1
            } else {
                if length >= 5 { sum += length - 2 }
                length = 1
            }
        }
        for start in 0...line.count - 11
        where finderLike.contains(where: { $0.elementsEqual(line[start..<start + 11]) }) { sum += 40 }
        return sum
    }
}
