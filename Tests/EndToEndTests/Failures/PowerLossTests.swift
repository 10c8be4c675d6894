import Foundation
import TestSupport
import Testing

extension EndToEndTests {
    /// A new file's name is on disk before a command says that the file is there: the directory is synchronised too.
    @Suite struct PowerLossTests {
        /// The calls that write to disk or rename, with the paths behind descriptors, in their order.
        private static func trace(_ words: [String], _ files: InstallationFiles, stdin: String = "") throws -> [String]
        {
            let log = files.directory.file("trace")
            let calls = "fsync,fdatasync,rename,renameat,renameat2,link,linkat,openat"
            let result = try CommandRunner.run(
                program: "strace",
                ["-f", "-y", "-o", log, "-e", "trace=\(calls)", CommandRunner.binary()] + words + files.flags,
                stdin: stdin)
            #expect(result.status == 0, "\(result.stderr)")
            return try String(contentsOfFile: log, encoding: .utf8).split(separator: "\n").map(String.init)
        }

        /// Whether the directory is synchronised behind the last call that gave a file its name.
        private static func isNameOnDisk(_ path: String, in directory: String, _ calls: [String]) throws -> Bool {
            let named = try #require(
                calls.lastIndex { call in
                    let isNaming = ["rename", "link", "O_EXCL"].contains { call.contains($0) }
                    return isNaming && call.contains("\"\(path)\"") && !call.contains("EEXIST")
                }, "\(path)")
            return calls[named...].contains { $0.contains("fsync(") && $0.contains("<\(directory)>") }
        }

        @Test func aNewFilesNameIsWrittenToDisk() throws {
            let files = try InstallationFiles()
            let directory = URL(fileURLWithPath: files.directory.file("x")).deletingLastPathComponent()
                .resolvingSymlinksInPath().path
            let made = try Self.trace(
                ["init", "--email", "ada@example.com", "--name", "Ada", "--password-stdin"], files,
                stdin: "correct horse battery staple\n")
            #expect(try Self.isNameOnDisk(files.masterKeys, in: directory, made))
            #expect(try Self.isNameOnDisk(files.database, in: directory, made))
            let attributes = try FileManager.default.attributesOfItem(atPath: files.masterKeys)
            #expect((attributes[.posixPermissions] as? NSNumber)?.intValue == 0o600)

            let rotated = try Self.trace(["master-key", "rotate"], files)
            #expect(try Self.isNameOnDisk(files.masterKeys, in: directory, rotated))

            let backup = files.directory.file("monday.backup")
            let copied = try Self.trace(["backup", backup], files)
            #expect(try Self.isNameOnDisk(backup, in: directory, copied))
        }
    }
}
