import Foundation

/// Counts lines and, in code points, columns while bytes go by.
struct TextPosition {
    /// How the bytes are characters.
    enum Encoding: Equatable {
        /// UTF-8, and everything that is no UTF-16.
        case bytes
        case utf16(isBigEndian: Bool)
    }

    private(set) var line = 1
    private(set) var column = 1
    let encoding: Encoding

    /// - Parameter head: the first bytes of the file.
    init(head: UnsafeRawBufferPointer) {
        let start = Array(head.prefix(256))
        switch start.prefix(3) {
        // A byte order mark is no column.
        case [0xEF, 0xBB, 0xBF]: (encoding, column) = (.bytes, 0)
        case let mark where mark.starts(with: [0xFF, 0xFE]): (encoding, column) = (.utf16(isBigEndian: false), 0)
        case let mark where mark.starts(with: [0xFE, 0xFF]): (encoding, column) = (.utf16(isBigEndian: true), 0)
        default:
            // Without a mark: most high bytes are zero, and few low ones are.
            let zeros = [0, 1].map { parity in start.indices.filter { $0 % 2 == parity && start[$0] == 0 }.count }
            if start.count >= 8, zeros[1] > start.count / 4, zeros[0] < zeros[1] / 4 {
                encoding = .utf16(isBigEndian: false)
            } else if start.count >= 8, zeros[0] > start.count / 4, zeros[1] < zeros[0] / 4 {
                encoding = .utf16(isBigEndian: true)
            } else {
                encoding = .bytes
            }
        }
    }

    /// The last offset, at or before this one, that this position can be at: UTF-16 has its characters at even ones.
    func boundary(at offset: Int) -> Int { encoding == .bytes ? offset : offset & ~1 }

    /// Goes on behind these bytes, which begin and end at a boundary.
    mutating func advance(over bytes: UnsafeRawBufferPointer) {
        guard let base = bytes.baseAddress, !bytes.isEmpty else { return }
        var lineStart = 0
        var place = 0
        while place < bytes.count, let found = memchr(base + place, 10, bytes.count - place) {
            place = base.distance(to: UnsafeRawPointer(found))
            if let next = endOfLineBreak(at: place, in: bytes) {
                (line, column, lineStart) = (line + 1, 1, next)
            }
            place += 1
        }
        column += characters(in: UnsafeRawBufferPointer(rebasing: bytes[lineStart...]))
    }

    /// Where the next line begins, if the byte 10 at this place is a line feed.
    private func endOfLineBreak(at place: Int, in bytes: UnsafeRawBufferPointer) -> Int? {
        switch encoding {
        case .bytes: place + 1
        case .utf16(isBigEndian: false):
            place % 2 == 0 && place + 1 < bytes.count && bytes[place + 1] == 0 ? place + 2 : nil
        case .utf16(isBigEndian: true): place % 2 == 1 && bytes[place - 1] == 0 ? place + 1 : nil
        }
    }

    private func characters(in bytes: UnsafeRawBufferPointer) -> Int {
        var count = 0
        switch encoding {
        case .bytes:
            // All but the bytes in the middle of a character.
            for byte in bytes where byte & 0xC0 != 0x80 { count += 1 }
        case .utf16(let isBigEndian):
            var place = isBigEndian ? 0 : 1
            while place < bytes.count {
                // All but the second half of a pair.
                if bytes[place] & 0xFC != 0xDC { count += 1 }
                place += 2
            }
        }
        return count
    }
}
