/// What a version of QR codes holds at error correction level M.
struct QRVersion: Sendable, Equatable {
    /// 1 to 20.
    let number: Int

    /// Correction codewords in each block, by version.
    private static let correctionLengths = [
        10, 16, 26, 18, 24, 16, 18, 22, 22, 26, 30, 22, 22, 24, 24, 28, 28, 26, 26, 26,
    ]
    /// Blocks, by version.
    private static let blockCounts = [1, 1, 1, 2, 2, 4, 4, 4, 5, 5, 5, 8, 9, 9, 10, 10, 11, 13, 14, 16]

    /// The smallest one that holds this many bytes; nil where none does.
    init?(holding count: Int) {
        let fitting = (1...Self.blockCounts.count).first { number in
            let version = QRVersion(number: number)
            return 4 + version.countLength + count * 8 <= version.dataLength * 8
        }
        guard let fitting else { return nil }
        number = fitting
    }

    private init(number: Int) {
        self.number = number
    }

    var size: Int { 17 + 4 * number }
    /// How many bits say how long the text is, in byte mode.
    var countLength: Int { number < 10 ? 8 : 16 }
    var correctionLength: Int { Self.correctionLengths[number - 1] }
    var blockCount: Int { Self.blockCounts[number - 1] }
    /// Codewords for data.
    var dataLength: Int { codewordCount - correctionLength * blockCount }

    /// Codewords in all: what the function patterns leave.
    var codewordCount: Int {
        var modules = (16 * number + 128) * number + 64
        if number >= 2 {
            let alignments = number / 7 + 2
            modules -= (25 * alignments - 10) * alignments - 55
            if number >= 7 { modules -= 36 }
        }
        return modules / 8
    }

    /// The rows, and columns, in which alignment patterns have their centres.
    var alignmentCentres: [Int] {
        guard number >= 2 else { return [] }
        let count = number / 7 + 2
        let step = (number * 4 + count * 2 + 1) / (count * 2 - 2) * 2
        return [6] + (0..<count - 1).map { size - 7 - $0 * step }.reversed()
    }
}
