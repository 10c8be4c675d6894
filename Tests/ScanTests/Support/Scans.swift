import Foundation
import Keybearer
@testable import KeybearerScan

/// Scans of things that tests make.
enum Scans {
    /// Bytes that come in blocks of a size.
    final class Blocks: ByteSource {
        private var blocks: [UnsafeMutableRawBufferPointer] = []
        private var place = 0
        private let failure: Unreadable?

        init(_ bytes: [UInt8], size: Int = 1 << 16, failure: Unreadable? = nil) {
            self.failure = failure
            for start in stride(from: 0, to: bytes.count, by: size) {
                let part = bytes[start..<min(bytes.count, start + size)]
                let block = UnsafeMutableRawBufferPointer.allocate(byteCount: part.count, alignment: 1)
                block.copyBytes(from: part)
                blocks.append(block)
            }
        }

        deinit { for block in blocks { block.deallocate() } }

        func next() throws(Unreadable) -> UnsafeRawBufferPointer? {
            guard place < blocks.count else {
                if let failure { throw failure }
                return nil
            }
            place += 1
            return UnsafeRawBufferPointer(blocks[place - 1])
        }
    }

    /// A scan of bytes, as of standard input.
    static func scan(
        _ bytes: [UInt8], blockSize: Int = 1 << 16, failure: Unreadable? = nil,
        _ change: (inout ScanOptions) -> Void = { _ in }
    ) -> ScanReport {
        var options = ScanOptions()
        change(&options)
        let pattern = KeyPattern(prefixes: options.prefixes)
        let report = ScanReport(pattern)
        StreamScanner(options, pattern, report)
            .scan(Blocks(bytes, size: blockSize, failure: failure), at: ScanPlace(file: "input"))
        return report
    }

    static func scan(_ text: String, blockSize: Int = 1 << 16, _ change: (inout ScanOptions) -> Void = { _ in })
        -> ScanReport
    {
        scan(Array(text.utf8), blockSize: blockSize, change)
    }

    /// A scan of paths.
    static func scan(paths: [String], _ change: (inout ScanOptions) -> Void = { _ in }) -> ScanReport {
        var options = ScanOptions()
        change(&options)
        let scanner = Scanner(options)
        for path in paths { scanner.scan(path: path) }
        return scanner.report
    }
}

extension ScanReport {
    /// The secrets that were found, in their order.
    var tokens: [String] { finds.map { String(decoding: $0.match.token, as: UTF8.self) } }
    /// Where they were found.
    var locations: [String] { finds.map(\.location) }
    /// What could not be read, as text.
    var complaints: String { problems.map(\.description).joined(separator: "\n") }
}
