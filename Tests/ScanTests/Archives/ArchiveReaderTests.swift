import Foundation
@testable import KeybearerScan
import TestSupport
import Testing

/// Archives, nested and broken. ``StreamScanner`` reads them, ``ArchiveFormat`` recognises them, ``UnpackingLimit`` ends
/// those that are too large, and ``ByteSource`` is what they are read from. And what is behind an archive: ``RestOfArchive``.
@Suite struct ArchiveReaderTests {
    private let key = SampleKey.documented
    private var content: [UInt8] { Array("one\n two \(key)\n".utf8) }

    @Test(arguments: MadeArchive.Compression.allCases) func aCompressedFileIsRead(
        _ compression: MadeArchive.Compression
    ) throws {
        let report = Scans.scan(try MadeArchive.compress(content, compression), blockSize: 100)
        #expect(report.locations == ["input:2:6"] && report.problems.isEmpty, "\(report.complaints)")
        // Two compressed files behind each other are one.
        let two = try MadeArchive.compress([1, 2, 3], compression) + MadeArchive.compress(content, compression)
        #expect(Scans.scan(two).tokens == [key])
    }

    @Test(arguments: [MadeArchive.Kind.tar, .zip, .cpio, .ar]) func anArchiveIsRead(_ kind: MadeArchive.Kind) throws {
        let archive = try MadeArchive.make(kind, [("a.txt", Array("nothing".utf8)), ("b.txt", content)])
        let report = Scans.scan(archive, blockSize: 333)
        #expect(report.locations == ["input!b.txt:2:6"] && report.problems.isEmpty, "\(report.complaints)")
    }

    @Test(arguments: MadeArchive.Compression.allCases) func aCompressedTarIsRead(_ compression: MadeArchive.Compression)
        throws
    {
        let archive = try MadeArchive.make(.tar, [("b.txt", content)], compression)
        #expect(Scans.scan(archive).locations == ["input!b.txt:2:6"])
    }

    @Test func archivesInArchivesAreRead() throws {
        let inner = try MadeArchive.make(.zip, [("d/e.txt", content)])
        let middle = try MadeArchive.make(
            .tar, [("c.zip", inner), ("f.gz", MadeArchive.compress(Array(SampleKey.make(2).utf8), .gzip))])
        let report = Scans.scan(try MadeArchive.make(.zip, [("b.tar.xz", MadeArchive.compress(middle, .xz))]))
        #expect(report.locations == ["input!b.tar.xz!c.zip!d/e.txt:2:6", "input!b.tar.xz!f.gz:1:1"])
        #expect(report.problems.isEmpty, "\(report.complaints)")
    }

    @Test func theBytesOfAnArchiveAreSearchedToo() throws {
        // A comment of a zip is in no entry.
        var zip = try MadeArchive.make(.zip, [("a", content)])
        let comment = Array("made with \(SampleKey.make(3))".utf8)
        zip[zip.count - 2] = UInt8(comment.count)
        zip += comment
        #expect(Scans.scan(zip).tokens == [key, SampleKey.make(3)])
        // And one that is inside of another.
        let outer = try MadeArchive.make(.zip, [("inner.zip", zip)])
        let report = Scans.scan(outer)
        #expect(report.tokens == [key, SampleKey.make(3)] && report.finds[1].place.inside == ["inner.zip"])
        // What is stored as it is is reported once, with its place in the entry.
        let stored = try MadeArchive.make(.zip, [("a", content)], stored: true)
        #expect(Scans.scan(stored).locations == ["input!a:2:6"])
    }

    @Test func whatIsBehindTheEndOfATarIsRead() throws {
        let first = try MadeArchive.make(.tar, [("a", content)])
        let second = try MadeArchive.make(.tar, [("b", Array(SampleKey.make(5).utf8))])
        #expect(Scans.scan(first + second).locations == ["input!a:2:6", "input!b:1:1"])
        let trailing = first + [UInt8](repeating: 0, count: 10_240) + Array("behind \(SampleKey.make(6))".utf8)
        for bytes in [trailing, try MadeArchive.compress(trailing, .gzip)] {
            #expect(Scans.scan(bytes).tokens == [key, SampleKey.make(6)])
        }
    }

    /// Nothing is left out in silence.
    @Test(arguments: [MadeArchive.Kind.zip, .cpio, .ar]) func anArchiveBehindAnotherIsSaid(
        _ kind: MadeArchive.Kind
    ) throws {
        let (first, second) = (
            try MadeArchive.make(kind, [("a", Array("nothing".utf8))]), try MadeArchive.make(kind, [("b", content)])
        )
        #expect(Scans.scan(first, blockSize: 100).problems.isEmpty)
        for size in [100, 1 << 16] {
            let report = Scans.scan(first + second, blockSize: size)
            // One of ar goes on, as if it were the same; what it finds there is no entry.
            #expect(kind == .ar || report.complaints.contains("what is behind its end was not unpacked"))
            #expect(!report.problems.isEmpty, "\(kind)")
        }
        let padded = try MadeArchive.compress([1], .gzip) + [UInt8](repeating: 0, count: 512)
        #expect(Scans.scan(padded).problems.isEmpty)
        #expect(!Scans.scan(padded + (try MadeArchive.compress(content, .gzip))).problems.isEmpty)
    }

    @Test func aZipBehindOtherBytesIsSaidWhereItIsNoFile() throws {
        let program = Array("#!/bin/sh\n".utf8) + (try MadeArchive.make(.zip, [("b", content)]))
        #expect(
            Scans.scan(try MadeArchive.make(.tar, [("a.jar", program)])).complaints.contains(
                "input!a.jar: a zip behind"))
        #expect(Scans.scan(Array("#!/bin/sh\n".utf8)).problems.isEmpty)
    }

    @Test func aDamagedEntryIsSaidAndTheOthersAreRead() throws {
        let key = Array(SampleKey.make(7).utf8)
        var tar = try MadeArchive.make(
            .tar, [("a", [1]), ("hidden.gz", try MadeArchive.compress(content, .gzip)), ("z", key)])
        let name = try #require(tar.indices.first { tar[$0...].starts(with: "hidden.gz".utf8) })
        tar[name] ^= 1
        #expect(Scans.scan(tar).complaints.contains("not unpacked to its end"))
        // Also where it is the first.
        var first = try MadeArchive.make(.tar, [("a.gz", try MadeArchive.compress(content, .gzip))])
        first[0] ^= 1
        #expect(!Scans.scan(first).problems.isEmpty)
    }

    @Test func theNamesOfKeysThatTouchAreCut() {
        let one = SampleKey.make(8, prefix: "acme_")
        for text in ["x\(one)_\(one)", "\(one)\(one)", "\(one)_\(SampleKey.make(9, prefix: "acme_"))"] {
            let (shown, matches) = ScanReport(KeyPattern(prefixes: [])).visible(Array(text.utf8))
            #expect(!matches.isEmpty && !shown.contains(one.dropFirst(12)), "\(shown)")
        }
    }

    @Test func namesAndLinksAreSearched() throws {
        let files = [("x/\(key).txt", [UInt8]("a".utf8)), ("a\nb\u{1B}", content)]
        let report = Scans.scan(try MadeArchive.make(.tar, files))
        #expect(report.finds[0].part == .name && report.locations[0] == "input!x/tdc_mhSV….txt")
        #expect(!report.locations.joined().contains(key))
    }

    @Test func whatCameBeforeAnErrorCounts() throws {
        let padding = (0..<300_000).map { _ in UInt8.random(in: 128...255) }
        let archive = try MadeArchive.make(.tar, [("a", content + padding), ("b", padding)], .gzip)
        for cut in [archive.count - 10, archive.count / 2, archive.count - 200_000] {
            let report = Scans.scan(Array(archive.prefix(cut)))
            #expect(report.tokens == [key] && report.complaints.contains("not unpacked to its end"), "\(cut)")
        }
        // A checksum that is wrong: the data is there, and may be damaged.
        var zip = try MadeArchive.make(.zip, [("a", content)], stored: true)
        zip[14] ^= 1
        let wrong = Scans.scan(zip)
        #expect(wrong.tokens == [key])
    }

    @Test func brokenArchivesAreSaid() throws {
        var zip = try MadeArchive.make(.zip, [("a", content + [UInt8](repeating: 7, count: 5_000))])
        for place in 40..<60 { zip[place] ^= 0xFF }
        #expect(!Scans.scan(zip).problems.isEmpty)
        #expect(!Scans.scan([0x1F, 0x8B, 0x08] + Array("no gzip".utf8)).problems.isEmpty)
        #expect(Scans.scan([0x1F, 0x8B, 0x08] + Array("no gzip \(key)".utf8)).tokens == [key])
    }

    @Test func theDeepestArchiveIsSearchedButNotOpened() throws {
        var zip = try MadeArchive.make(.zip, [("a", content)])
        let comment = Array(SampleKey.make(3).utf8)
        zip[zip.count - 2] = UInt8(comment.count)
        zip += comment
        let outer = try MadeArchive.make(.zip, [("inner.zip", zip)])
        let report = Scans.scan(outer) { $0.archiveDepth = 1 }
        #expect(report.tokens == [SampleKey.make(3)])
        #expect(report.complaints.contains("input!inner.zip: not unpacked: it is inside of 1 others"))
    }

    @Test func aBombEndsAtTheLimit() throws {
        let zeros = try MadeArchive.compress([UInt8](repeating: 0, count: 30 << 20), .gzip)
        let bomb = try MadeArchive.make(.tar, (0..<20).map { ("\($0).gz", zeros) }, .gzip)
        let start = ContinuousClock.now
        let report = Scans.scan(bomb + Array(key.utf8)) { $0.unpackLimit = 50 << 20 }
        #expect(report.complaints.contains("what is in it has more than 52428800 bytes (--unpack-limit)"))
        #expect(report.tokens == [key])
        #expect(ContinuousClock.now - start < .seconds(60))
    }

    @Test func aBombTakesNothingFromTheFilesBehindIt() throws {
        let directory = try TemporaryDirectory()
        let bomb = try MadeArchive.compress([UInt8](repeating: 0, count: 30 << 20), .gzip)
        for (name, bytes) in [("a", bomb), ("b", try MadeArchive.compress(content, .gzip))] {
            try Data(bytes).write(to: URL(fileURLWithPath: directory.file(name)))
        }
        let report = Scans.scan(paths: [directory.path]) { $0.unpackLimit = 10 << 20 }
        #expect(report.tokens == [key] && report.problems.count == 1)
    }

    @Test func anEncryptedEntryIsSaid() throws {
        var zip = try MadeArchive.make(.zip, [("a", content)])
        zip[6] |= 1
        let record = try #require(zip.indices.dropLast(4).last { zip[$0..<$0 + 4].elementsEqual([0x50, 0x4B, 1, 2]) })
        zip[record + 8] |= 1
        let report = Scans.scan(zip)
        #expect(report.tokens.isEmpty && !report.problems.isEmpty)
    }

    @Test func formatsThatAreNotOpenedAreSaid() {
        for (head, name) in [("Rar!\u{1A}\u{07}\u{01}\0", "RAR"), ("# v2 git bundle\n", "git bundle")] {
            let report = Scans.scan("\(head) \(key)")
            #expect(report.tokens == [key] && report.complaints.contains("\(name) is not supported"))
        }
    }

    @Test func anEntryThatTheListOfAZipDoesNotHaveIsRead() throws {
        let directory = try TemporaryDirectory()
        let visible = try MadeArchive.make(.zip, [("a", content)])
        let list = try #require(
            visible.indices.dropLast(4).first { visible[$0..<$0 + 4].elementsEqual([0x50, 0x4B, 1, 2]) })
        let hidden = try MadeArchive.make(.zip, [("hidden", Array(SampleKey.make(4).utf8))])
        let end = try #require(
            hidden.indices.dropLast(4).first { hidden[$0..<$0 + 4].elementsEqual([0x50, 0x4B, 1, 2]) })
        // The list is moved behind the hidden entry.
        var zip = Array(visible[..<list] + hidden[..<end] + visible[list...])
        let place = zip.count - 6
        let moved = UInt32(list + end)
        for byte in 0..<4 { zip[place + byte] = UInt8(truncatingIfNeeded: moved >> (8 * UInt32(byte))) }
        try Data(zip).write(to: URL(fileURLWithPath: directory.file("a.zip")))
        let report = Scans.scan(paths: [directory.file("a.zip")])
        #expect(report.tokens == [key, SampleKey.make(4)] && report.problems.isEmpty, "\(report.complaints)")
    }

    @Test func filesWithADirectoryAtTheirEndAreRead() throws {
        let directory = try TemporaryDirectory()
        let zip = try MadeArchive.make(.zip, [("a", content)])
        let files = try [
            ("a.zip", zip), ("program", Array("#!/bin/sh\nexit 0\n".utf8) + zip),
            ("b.7z", MadeArchive.make(.sevenZip, [("a", content)])),
        ]
        for (name, bytes) in files {
            try Data(bytes).write(to: URL(fileURLWithPath: directory.file(name)))
            let report = Scans.scan(paths: [directory.file(name)])
            #expect(
                report.locations == ["\(directory.file(name))!a:2:6"] && report.problems.isEmpty, "\(report.complaints)"
            )
        }
    }
}
