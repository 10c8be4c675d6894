import Foundation
@testable import KeybearerScan
import TestSupport
import Testing

/// Histories of git, also hostile ones. ``GitRepository`` finds them, ``GitProcess`` runs git, ``LineSource`` reads what it
/// writes.
@Suite struct GitHistoryTests {
    private let key = SampleKey.documented
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    @discardableResult
    private func git(_ words: String..., in folder: String = "repository") throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments =
            ["git", "-c", "user.name=A", "-c", "user.email=a@example.com", "-c", "protocol.file.allow=always"] + words
        process.currentDirectoryURL = URL(fileURLWithPath: directory.file(folder))
        process.environment = [
            "PATH": ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin", "GIT_CONFIG_GLOBAL": "/dev/null",
        ]
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        let text = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0, "git \(words)")
        return String(decoding: text, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    }

    private func write(_ text: String, to name: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: directory.file(name)))
    }

    /// A repository whose key was removed in the last commit.
    private func makeRepository(_ name: String = "repository", _ text: String? = nil) throws {
        try FileManager.default.createDirectory(atPath: directory.file(name), withIntermediateDirectories: true)
        try git("init", "-q", "-b", "main", in: name)
        try write(text ?? "one\nkey = \(key)\n", to: "\(name)/a.txt")
        try git("add", ".", in: name)
        try git("commit", "-q", "-m", "First", in: name)
        try write("one\n", to: "\(name)/a.txt")
        try git("commit", "-q", "-a", "-m", "Second", in: name)
    }

    private func scan(_ name: String = "repository", _ change: (inout ScanOptions) -> Void = { _ in }) -> ScanReport {
        Scans.scan(paths: [directory.file(name)], change)
    }

    @Test func whatGitDoesNotReadAmongItsObjectsIsRead() throws {
        try makeRepository("repository", "nothing")
        try write("\(key)\n", to: "repository/.git/objects/note.txt")
        try write("\(SampleKey.make(4))\n", to: "repository/.git/objects/pack/tmp_pack_Xyz")
        #expect(Set(scan().tokens) == [key, SampleKey.make(4)] && scan().problems.isEmpty, "\(scan().complaints)")
        // Folders of other meanings are no repository.
        for folder in ["project/refs", "project/objects"] {
            try FileManager.default.createDirectory(
                atPath: directory.file(folder), withIntermediateDirectories: true)
        }
        try write("\(key)\n", to: "project/objects/a.txt")
        #expect(scan("project").tokens == [key] && scan("project").problems.isEmpty)
    }

    @Test func aKeyThatWasRemovedIsFound() throws {
        try makeRepository()
        let first = try git("rev-list", "--max-parents=0", "main")
        let report = scan()
        #expect(report.locations == ["\(directory.file("repository/.git"))@\(first.prefix(12)):a.txt:2:7"])
        #expect(report.problems.isEmpty, "\(report.complaints)")
        #expect(scan { $0.readsHistory = false }.finds.isEmpty)
    }

    @Test func messagesTagsNotesNamesAndWhatIsUnreachableAreSearched() throws {
        try makeRepository("repository", "nothing")
        let keys = (1...6).map { SampleKey.make($0) }
        try git("commit", "-q", "--allow-empty", "-m", "Uses \(keys[0])")
        try git("tag", "-a", "-m", "Has \(keys[1])", "v1")
        try git("notes", "add", "-m", "Note \(keys[2])")
        try write("x", to: "repository/\(keys[3]).txt")
        try git("add", ".")
        try git("commit", "-q", "-m", "Name")
        try git("rm", "-q", "\(keys[3]).txt")
        try git("commit", "-q", "-m", "No name")
        try write(keys[4], to: "repository/b.txt")
        try git("add", ".")
        try git("reset", "-q", "--hard")
        try write("x \(keys[5])", to: "repository/a.txt")
        try git("stash", "-q")
        let report = scan()
        #expect(Set(report.tokens) == Set(keys), "\(report.complaints)")
        #expect(Set(report.finds.map(\.part)) == [.content, .commit, .tag, .tree])
        #expect(!report.locations.joined().contains(keys[3].suffix(20)))
    }

    @Test func archivesInTheHistoryAreOpened() throws {
        try makeRepository()
        let archive = try MadeArchive.make(.zip, [("in.txt", Array(SampleKey.make(8).utf8))])
        try Data(archive).write(to: URL(fileURLWithPath: directory.file("repository/b.zip")))
        try git("add", ".")
        try git("commit", "-q", "-m", "Archive")
        try git("rm", "-q", "b.zip")
        try git("commit", "-q", "-m", "No archive")
        let report = scan()
        #expect(report.locations.contains { $0.hasSuffix(":b.zip!in.txt:1:1") }, "\(report.locations)")
    }

    @Test func bareOnesModulesAndLinkedOnesAreFoundOnce() throws {
        try makeRepository()
        try git("clone", "-q", "--bare", "repository", "bare.git", in: "")
        try git("worktree", "add", "-q", directory.file("linked"), "main~1", "--detach")
        #expect(Set(scan("bare.git").tokens) == [key])
        #expect(scan("linked").locations.contains { $0.hasPrefix(directory.file("repository/.git@")) })
        try makeRepository("outer", "nothing")
        try git("submodule", "--quiet", "add", directory.file("repository"), "module", in: "outer")
        try FileManager.default.removeItem(atPath: directory.file("outer/module"))
        #expect(
            scan("outer").locations.contains { $0.contains("outer/.git/modules/module@") },
            "\(scan("outer").complaints)")
        // The work tree's history and the linked one's are one.
        let both = Scans.scan(paths: [directory.file("repository"), directory.file("linked")])
        #expect(both.finds.filter { $0.place.revision != nil }.count == 1)
    }

    @Test func whatIsNotHereIsSaid() throws {
        try makeRepository()
        try git("config", "uploadpack.allowFilter", "true")
        try git("clone", "-q", "--depth", "1", "file://" + directory.file("repository"), "shallow", in: "")
        #expect(scan("shallow").complaints.contains("a shallow clone: what is before 1 commit is not here"))
        try git(
            "clone", "-q", "--filter=blob:none", "--no-checkout", "file://" + directory.file("repository"), "partial",
            in: "")
        #expect(scan("partial").complaints.contains("a partial clone: 2 objects missing"))
        let blob = try git("rev-parse", "main:a.txt")
        try FileManager.default.removeItem(
            atPath: directory.file("repository/.git/objects/\(blob.prefix(2))/\(blob.dropFirst(2))"))
        let broken = scan()
        #expect(
            broken.tokens == [key] && broken.complaints.contains("1 object missing, such as \(blob.prefix(12))"),
            "\(broken.complaints)")
    }

    @Test func aBrokenRepositoryIsSaid() throws {
        try makeRepository()
        try write("nonsense", to: "repository/.git/HEAD")
        #expect(scan().complaints.contains("git failed"))
        try FileManager.default.removeItem(atPath: directory.file("repository/.git/HEAD"))
        #expect(scan().complaints.contains("git failed"))
        try write("gitdir: ../nowhere\n", to: "linked.git")
        try FileManager.default.createDirectory(atPath: directory.file("tree"), withIntermediateDirectories: true)
        try write("gitdir: ../nowhere\n", to: "tree/.git")
        #expect(scan("tree").complaints.contains("the repository that it names is not there"))
    }

    @Test func whatWasFoundBeforeADamagedObjectCounts() throws {
        try makeRepository()
        let blob = try git("rev-parse", "main:a.txt")
        let path = directory.file("repository/.git/objects/\(blob.prefix(2))/\(blob.dropFirst(2))")
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
        try Data([1, 2, 3]).write(to: URL(fileURLWithPath: path))
        #expect(!scan().problems.isEmpty)
    }

    @Test func nothingOfAHostileRepositoryRuns() throws {
        try makeRepository()
        let blob = try git("rev-parse", "main:a.txt")
        let trap = directory.file("trap")
        let mark = directory.file("ran")
        try write("#!/bin/sh\ntouch \(mark)\ncat\n", to: "trap")
        try FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: trap)
        for name in [
            "core.fsmonitor", "core.pager", "core.sshCommand", "diff.external", "diff.x.textconv", "diff.x.command",
            "filter.x.clean", "filter.x.smudge", "filter.x.process", "gpg.program", "core.gitProxy", "core.askPass",
            "credential.helper", "pager.log", "pager.cat-file", "core.alternateRefsCommand",
            "uploadpack.packObjectsHook",
            "trailer.x.command", "core.editor",
        ] { try git("config", name, trap) }
        try git("config", "log.showSignature", "true")
        try git("config", "remote.origin.promisor", "true")
        try git("config", "extensions.partialClone", "origin")
        try git("config", "remote.origin.url", "ext::\(trap)")
        try git("config", "protocol.ext.allow", "always")
        try git("config", "alias.log", "!\(trap)")
        try write("* diff=x filter=x\n", to: "repository/.git/info/attributes")
        try FileManager.default.createDirectory(
            atPath: directory.file("repository/.git/hooks"), withIntermediateDirectories: true)
        for hook in ["post-index-change", "reference-transaction", "pre-auto-gc", "fsmonitor-watchman"] {
            try? FileManager.default.removeItem(atPath: directory.file("repository/.git/hooks/\(hook)"))
            try FileManager.default.copyItem(atPath: trap, toPath: directory.file("repository/.git/hooks/\(hook)"))
        }
        // One object is missing: git would fetch it.
        try FileManager.default.removeItem(
            atPath: directory.file("repository/.git/objects/\(blob.prefix(2))/\(blob.dropFirst(2))"))
        let report = scan()
        #expect(report.tokens == [key] && !report.problems.isEmpty, "\(report.finds) \(report.complaints)")
        #expect(!FileManager.default.fileExists(atPath: mark))
    }

    @Test func gitsOwnVariablesDoNotCount() throws {
        try makeRepository()
        try makeRepository("other", "nothing")
        for (name, value) in [("GIT_DIR", directory.file("other/.git")), ("GIT_OBJECT_DIRECTORY", "/nonexistent")] {
            setenv(name, value, 1)
        }
        defer { for name in ["GIT_DIR", "GIT_OBJECT_DIRECTORY"] { unsetenv(name) } }
        #expect(scan().tokens == [key])
    }

    @Test func aSilentGitIsEnded() throws {
        try makeRepository()
        let folder = RawPath(directory.file("repository/.git"))
        // A file that is a pipe: git waits for somebody to write into it.
        try FileManager.default.removeItem(atPath: directory.file("repository/.git/config"))
        mkfifo(directory.file("repository/.git/config"), 0o600)
        let start = ContinuousClock.now
        let failure = #expect(throws: Unreadable.self) {
            let process = try GitProcess(["rev-list", "--all"], in: folder, timeout: .seconds(1))
            while try process.next() != nil {}
        }
        #expect(failure?.message.contains("git said nothing for 1 seconds and was ended") == true)
        #expect(ContinuousClock.now - start < .seconds(20))
    }

    @Test func anotherOwnersRepositoryIsRead() throws {
        try makeRepository()
        guard geteuid() == 0 else { return }
        for path in try FileManager.default.subpathsOfDirectory(atPath: directory.path) {
            chown(directory.file(path), 65_534, 65_534)
        }
        #expect(scan().tokens == [key])
    }

    @Test func linesAndPartsAreRead() throws {
        let source = LineSource(Scans.Blocks(Array("one\ntwo\0three".utf8), size: 2))
        #expect(try source.line(endingWith: 10) == Array("one".utf8))
        let part = source.part(2)
        try part.skip()
        #expect(try source.line(endingWith: 0) == Array("o".utf8))
        #expect(try source.line(endingWith: 0) == Array("three".utf8))
        #expect(try source.line(endingWith: 0) == nil)
        #expect(throws: Unreadable.self) { try source.part(1).skip() }
    }
}
