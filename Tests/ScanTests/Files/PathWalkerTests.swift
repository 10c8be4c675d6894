import Foundation
@testable import KeybearerScan
import TestSupport
import Testing

/// Files and folders as they are found on a disk, with ``Scanner``. ``RawPath`` has names that are no UTF-8.
@Suite struct PathWalkerTests {
    private let key = SampleKey.documented
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func write(_ text: String, to name: String) throws {
        let path = directory.file(name)
        try FileManager.default.createDirectory(
            atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
        try text.write(toFile: path, atomically: false, encoding: .utf8)
    }

    @Test func foldersAreSearchedInOrder() throws {
        for name in ["b/c", "a", "b/d/e", "f"] { try write("\(key)\n", to: name) }
        let report = Scans.scan(paths: [directory.path])
        #expect(report.locations == ["a", "b/c", "b/d/e", "f"].map { directory.file($0) + ":1:1" })
        #expect(report.problems.isEmpty)
        #expect(Scanner.size(of: [directory.path]) == 4 * 43)
        // The same folder twice is one.
        #expect(Scans.scan(paths: [directory.path, directory.path]).finds.count == 4)
    }

    @Test func keysInNamesAreFoundAndNotShown() throws {
        try write("x", to: "\(key)/\(SampleKey.make(1)).txt")
        let report = Scans.scan(paths: [directory.path])
        #expect(report.tokens == [key, SampleKey.make(1)] && report.finds.allSatisfy { $0.part == .name })
        #expect(!report.locations.joined().contains(key.suffix(20)))
        #expect(Scans.scan(paths: [directory.file(key)]).tokens.first == key)
        let missing = Scans.scan(paths: [directory.file(SampleKey.make(2))])
        #expect(missing.tokens == [SampleKey.make(2)] && !missing.complaints.contains(SampleKey.make(2).suffix(20)))
    }

    @Test func namesThatAreNoUTF8AreShown() throws {
        let path = Array(directory.file("").utf8) + [0x61, 0xFF, 0xC3, 0x62]
        let file = RawPath(bytes: path).withCharacters { open($0, O_CREAT | O_WRONLY, 0o600) }
        try #require(file >= 0)
        _ = key.withCString { Foundation.write(file, $0, 42) }
        close(file)
        #expect(Scans.scan(paths: [directory.path]).locations == [directory.file("a\\xFF\\xC3b:1:1")])
    }

    @Test func pipesSocketsAndDevicesAreSkippedAndSaid() throws {
        mkfifo(directory.file("pipe"), 0o600)
        try write(key, to: "zz")
        let report = Scans.scan(paths: [directory.path, "/dev/null"])
        #expect(report.tokens == [key])
        #expect(
            report.complaints
                == "\(directory.file("pipe")): skipped: it is a named pipe\n/dev/null: skipped: it is a device")
        #expect(Scans.scan(paths: [directory.file("pipe")]).problems.count == 1)
    }

    @Test func linksAreNotFollowedOutOfThePaths() throws {
        try write(key, to: "outside/key")
        try write("nothing", to: "inside/file")
        let manager = FileManager.default
        try manager.createSymbolicLink(atPath: directory.file("inside/out"), withDestinationPath: "../outside")
        try manager.createSymbolicLink(atPath: directory.file("inside/loop"), withDestinationPath: ".")
        try manager.createSymbolicLink(atPath: directory.file("inside/up"), withDestinationPath: "..")
        try manager.createSymbolicLink(atPath: directory.file("inside/named"), withDestinationPath: SampleKey.make(7))
        let report = Scans.scan(paths: [directory.file("inside")])
        #expect(report.tokens == [SampleKey.make(7)] && report.problems.isEmpty)
        // What was named is meant, whatever it is.
        try manager.createSymbolicLink(atPath: directory.file("given"), withDestinationPath: "outside")
        #expect(Scans.scan(paths: [directory.file("given")]).tokens == [key])
    }

    @Test func whatIsNotThereIsSaid() throws {
        #expect(
            Scans.scan(paths: [directory.file("none")]).complaints
                == "\(directory.file("none")): No such file or directory")
    }
}
