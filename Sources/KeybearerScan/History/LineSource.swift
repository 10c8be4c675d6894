import Foundation

/// Reads lines, and parts of a known size, from a stream.
final class LineSource {
    /// No line that is wanted is longer; of one that is, the rest is left out.
    private static let longestLine = 1 << 20

    private let source: any ByteSource
    private var block = UnsafeRawBufferPointer(start: nil, count: 0)[...]
    private var isAtEnd = false

    init(_ source: any ByteSource) { self.source = source }

    /// Whether there are bytes at hand.
    private func fill() throws(Unreadable) -> Bool {
        while block.isEmpty, !isAtEnd {
            guard let next = try source.next() else {
                isAtEnd = true
                break
            }
            block = next[...]
        }
        return !block.isEmpty
    }

    /// The next line, without its end; nil at the end of the stream.
    func line(endingWith end: UInt8) throws(Unreadable) -> [UInt8]? {
        var line: [UInt8] = []
        var isAny = false
        while try fill() {
            isAny = true
            let part = block.prefix { $0 != end }
            line += part.prefix(Self.longestLine - line.count)
            block = block.dropFirst(part.count)
            if !block.isEmpty {
                block = block.dropFirst()
                break
            }
        }
        return isAny ? line : nil
    }

    /// The next bytes as a source of their own. It must be read, or skipped, before the next line.
    func part(_ size: Int) -> Part { Part(self, size) }

    final class Part: ByteSource {
        private let lines: LineSource
        private var rest: Int

        fileprivate init(_ lines: LineSource, _ size: Int) { (self.lines, rest) = (lines, size) }

        func next() throws(Unreadable) -> UnsafeRawBufferPointer? {
            guard rest > 0 else { return nil }
            guard try lines.fill() else { throw Unreadable("it ends early") }
            let part = lines.block.prefix(rest)
            lines.block = lines.block.dropFirst(part.count)
            rest -= part.count
            return UnsafeRawBufferPointer(rebasing: part)
        }

        /// Goes on behind it.
        func skip() throws(Unreadable) { while try next() != nil {} }
    }
}
