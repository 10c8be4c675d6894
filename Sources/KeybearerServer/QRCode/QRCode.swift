/// A QR code (ISO/IEC 18004, model 2) of a text, with error correction level M, in which up to 15 % of it may be damaged.
///
/// The text is in byte mode as UTF-8. Versions 1 to 20 are made, 21 to 97 modules wide: 666 bytes at most.
struct QRCode: Sendable, Equatable {
    /// How many modules one side has, without the quiet zone.
    let size: Int
    /// The modules, row by row: true is dark.
    let modules: [Bool]

    /// Encodes a text with the mask that is the easiest to scan by the standard's rules.
    ///
    /// - Parameter mask: 0 to 7; nil for the best.
    /// - Returns: nil for a text that is too long.
    init?(_ text: String, mask: Int? = nil) {
        guard let symbol = QRSymbol(bytes: Array(text.utf8)) else { return nil }
        let masked = (mask.map { $0...$0 } ?? 0...7).map { symbol.masked(by: $0) }
        guard let best = masked.min(by: { $0.penalty < $1.penalty }) else { return nil }
        size = best.size
        modules = best.modules
    }

    /// Whether the module of a row and a column is dark.
    subscript(row: Int, column: Int) -> Bool { modules[row * size + column] }

    /// The dark modules as the data of an SVG path, a rectangle for each run of a row, behind a quiet zone of four
    /// modules: digits, letters, spaces and signs alone.
    var pathData: String {
        var path = ""
        for row in 0..<size {
            var column = 0
            while column < size {
                guard self[row, column] else {
                    column += 1
                    continue
                }
                let start = column
                while column < size, self[row, column] { column += 1 }
                path += "M\(start + Self.quietZone) \(row + Self.quietZone)h\(column - start)v1h-\(column - start)z"
            }
        }
        return path
    }

    /// How many modules one side of the picture has.
    var pictureSize: Int { size + 2 * Self.quietZone }

    private static let quietZone = 4
}
