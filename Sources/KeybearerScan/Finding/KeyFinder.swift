import Foundation

/// Finds keys in bytes that come in blocks. A key may be in two of them; memory holds one block.
struct KeyFinder {
    /// A key with its place in the text.
    struct Found {
        let match: KeyMatch
        let line: Int
        let column: Int
    }

    /// The most bytes that are looked at in one go.
    static let blockSize = 1 << 20

    private let pattern: KeyPattern
    /// Begins at an even offset of the file, so that UTF-16 keeps its pairs.
    private var buffer: [UInt8] = []
    /// The first index of the buffer at which underscores were not looked at.
    private var pending = 0
    /// Line and column of the byte at the index `counted`.
    private var position: TextPosition?
    private var counted = 0

    init(_ pattern: KeyPattern) { self.pattern = pattern }

    /// Looks at the next bytes.
    mutating func feed(_ bytes: UnsafeRawBufferPointer, _ report: (Found) -> Void) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let part = rest.prefix(Self.blockSize)
            buffer.append(contentsOf: UnsafeRawBufferPointer(rebasing: part))
            rest = rest.dropFirst(part.count)
            // What follows may decide what the last bytes are.
            search(until: (buffer.count - KeyPattern.reachBehind) & ~1, report)
        }
    }

    /// Looks at what is left, at the end of the bytes.
    mutating func finish(_ report: (Found) -> Void) { search(until: buffer.count, report) }

    private mutating func search(until end: Int, _ report: (Found) -> Void) {
        guard end > pending else { return }
        // A key may begin before the last underscore that was looked at.
        let finished = max(0, end - KeyPattern.reachBefore) & ~1
        buffer.withUnsafeBytes { bytes in
            var position = position ?? TextPosition(head: bytes)
            func advance(to index: Int) {
                let target = position.boundary(at: index)
                guard target > counted else { return }
                position.advance(over: UnsafeRawBufferPointer(rebasing: bytes[counted..<target]))
                counted = target
            }
            for match in pattern.matches(in: bytes, underscores: pending..<end) {
                advance(to: match.range.lowerBound)
                report(Found(match: match, line: position.line, column: position.column))
            }
            advance(to: finished)
            self.position = position
        }
        buffer.removeFirst(finished)
        pending = end - finished
        counted -= finished
    }
}
