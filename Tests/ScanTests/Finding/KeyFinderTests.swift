import Foundation
@testable import KeybearerScan
import Testing

/// Keys in streams: between blocks, in UTF-16, in lines. ``TextPosition`` counts lines and columns.
@Suite struct KeyFinderTests {
    private let key = SampleKey.documented

    @Test(arguments: [1, 2, 3, 7, 16, 41, 42, 43, 100, 255, 1_000])
    func aKeyBetweenTwoBlocksIsFound(_ size: Int) {
        for padding in [0, 1, 5, 15, 16, 17, 300] {
            let text = String(repeating: ".", count: padding) + key + "\n" + SampleKey.make(9)
            let report = Scans.scan(text, blockSize: size)
            #expect(report.tokens == [key, SampleKey.make(9)], "\(size) \(padding)")
            #expect(report.locations == ["input:1:\(padding + 1)", "input:2:1"])
        }
    }

    @Test func aKeyOnEverySideOfTheFindersOwnBlockIsFound() {
        for shift in stride(from: -600, through: 60, by: 13) {
            let padding = KeyFinder.blockSize + shift
            let report = Scans.scan([UInt8](repeating: UInt8(ascii: "x"), count: padding) + Array(" \(key)".utf8))
            #expect(report.locations == ["input:1:\(padding + 2)"], "\(shift)")
        }
    }

    @Test(arguments: [String.Encoding.utf16LittleEndian, .utf16BigEndian], [true, false])
    func utf16IsRead(_ encoding: String.Encoding, hasMark: Bool) throws {
        let text = "first line\nünï😀 \(key)\nEnde ਊ\n\(SampleKey.make(4))木"
        let mark: [UInt8] = encoding == .utf16LittleEndian ? [0xFF, 0xFE] : [0xFE, 0xFF]
        let bytes = try (hasMark ? mark : []) + Array(#require(text.data(using: encoding)))
        for size in [1, 3, 64, 65_536] {
            let report = Scans.scan(bytes, blockSize: size)
            #expect(report.tokens == [key, SampleKey.make(4)])
            #expect(report.locations == ["input:2:6", "input:4:1"], "\(size)")
        }
    }

    @Test func utf16AtAnOddOffsetOfABinaryFileIsFound() throws {
        let text = Array(try #require(key.data(using: .utf16LittleEndian)))
        let report = Scans.scan([0x7F, 0x45, 0x4C, 0x46, 1, 2, 3] + text + [0xFF, 0xFF])
        #expect(report.tokens == [key])
    }

    @Test func columnsAreCodePoints() {
        #expect(Scans.scan("\u{FEFF}\(key)").locations == ["input:1:1"])
        #expect(Scans.scan("é木😀\(key)").locations == ["input:1:4"])
        #expect(Scans.scan("a\r\nb\r\n  \(key)").locations == ["input:3:3"])
    }

    @Test func aLongLineIsCountedOverItsBlocks() {
        let bytes = [UInt8](repeating: UInt8(ascii: "-"), count: 3 * KeyFinder.blockSize)
        let report = Scans.scan(Array("\n".utf8) + bytes + Array("\(key) \(key)".utf8))
        #expect(report.locations == ["input:2:\(bytes.count + 1)", "input:2:\(bytes.count + 44)"])
    }

    @Test func whatCameBeforeAFailureCounts() {
        let report = Scans.scan(Array("\(key)".utf8), failure: Unreadable("the disk is broken"))
        #expect(report.tokens == [key] && report.complaints == "input: the disk is broken")
    }
}
