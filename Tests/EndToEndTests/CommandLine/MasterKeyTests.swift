import Foundation
import Keybearer
@testable import KeybearerCLI
import Synchronization
import TestSupport
import Testing

extension EndToEndTests {
    /// Rotation by ``MasterKeyCommand`` beside a server in use, and nodes that only verify.
    @Suite struct MasterKeyTests {
        /// What clients saw while the master keys were rotated.
        private struct Seen {
            var responses = 0
            var others: [Int] = []
        }

        @Test func rotationUnderLoadIsNotNoticedByClients() throws {
            let deployed = try Deployed()
            let backup = deployed.files.directory.file("before.backup")
            let oldRing = try Self.ring(deployed)
            let keyFile = try String(contentsOfFile: deployed.files.masterKeys, encoding: .utf8)
            try deployed.command("backup", backup)

            let load = Load()
            let crew = Crew()
            for _ in 0..<4 { crew.start { crew in try load.run(deployed, until: crew) } }
            load.waitForMore()
            let rotation = try deployed.files.run("master-key", "rotate")
            #expect(rotation.status == 0, "\(rotation.stderr)")
            load.waitForMore()
            try crew.stop()
            print("rotation under load: \(load.summary)")
            #expect(load.failures.isEmpty, "no request may fail")

            let newRing = try Self.ring(deployed)
            #expect(oldRing.map(\.kind) == ["active"])
            #expect(Set(newRing.map(\.kind)) == ["tag", "active"], "the old key's tag is still carried")
            #expect(newRing.first { $0.kind == "tag" }?.id == oldRing.first?.id)
            #expect(newRing.first { $0.kind == "active" }?.id != oldRing.first?.id)
            let attributes = try FileManager.default.attributesOfItem(atPath: deployed.files.masterKeys)
            #expect((attributes[.posixPermissions] as? NSNumber)?.intValue == 0o600)
            #expect(try deployed.command("key", "show", Deployed.ada) == deployed.key)
            try Self.expectBackupToNeed(keyFile, backup: backup, newRingOf: deployed)

            // Once no live key carries the old tag, the old entry goes altogether.
            let key = try deployed.command("key", "regenerate", Deployed.ada)
            try deployed.command("master-key", "rotate")
            let last = try Self.ring(deployed)
            #expect(!last.contains { $0.id == oldRing.first?.id })
            #expect(try deployed.outcome(of: key) == "200")
            #expect(try deployed.outcome(of: deployed.key) == "401 UNAUTHORIZED")
        }

        @Test func whatCannotBeWrittenLeavesNoMasterKeysBehind() throws {
            let files = try InstallationFiles()
            // With no bytes to write: as on a full disk, and without a signal.
            let binary = try CommandRunner.binary()
            let full = try CommandRunner.run(
                program: "sh",
                [
                    "-c", #"trap '' XFSZ; ulimit -f 0; exec "$0" demo --port 0 --directory "$1""#, binary,
                    files.directory.path,
                ])
            #expect(
                full.status == 73 && full.stderr.contains("keybearer: cannot write \(files.masterKeys).new-"),
                "\(full.status) \(full.stderr)")
            #expect(full.stderr.contains(": File too large\n"), "\(full.stderr)")
            #expect(try FileManager.default.contentsOfDirectory(atPath: files.directory.path).isEmpty)

            // A directory cannot be replaced by a file.
            try FileManager.default.createDirectory(atPath: files.masterKeys, withIntermediateDirectories: false)
            let refusal = #expect(throws: CommandFailure.self) {
                try MasterKeyFile(path: files.masterKeys).save(
                    try MasterKeyRing.generate(from: .system), replacing: true)
            }
            #expect(refusal?.status == .cannotCreate)
            #expect(
                try FileManager.default.contentsOfDirectory(atPath: files.directory.path) == ["keybearer.keys"])
        }

        @Test func aVerifyOnlyRingVerifiesAndCanNeitherShowNorMakeAKey() throws {
            let deployed = try Deployed()
            let exported = try deployed.files.run("master-key", "export", "--verify-only")
            #expect(exported.status == 0)
            let whole = try String(contentsOfFile: deployed.files.masterKeys, encoding: .utf8)
            let master = try #require(whole.split { $0 == "\n" || $0 == " " }.last)
            #expect(!exported.stdout.contains(master), "the master key itself stays at home")
            #expect(!exported.stderr.contains(exported.stdout.split(separator: " ").last ?? "?"))
            #expect(deployed.server.terminate() == 0)

            let ringPath = deployed.files.directory.file("verify.keys")
            _ = FileManager.default.createFile(
                atPath: ringPath, contents: Data(exported.stdout.utf8), attributes: [.posixPermissions: 0o600])
            let flags = ["--database", deployed.files.database, "--master-key-file", ringPath]
            let server = try ServerProcess(
                ["serve", "--address", "127.0.0.1:0", "--regenerate-by-key", "open"] + flags,
                logs: deployed.files.directory, name: "verify")
            let connection = try RawConnection(port: server.port)
            #expect(try connection.roundTrip(RawRequest.get(key: deployed.key)).status == 200)
            let regenerate = RawRequest.text(
                "POST", "/api/v1/key/revoke", headers: [("Authorization", "Bearer \(deployed.key)")], body: "")
            let response = try connection.roundTrip(regenerate)
            #expect(response.status == 503 && response.errorCode == "UNAVAILABLE")
            #expect(try connection.roundTrip(RawRequest.get(key: deployed.key)).status == 200)
            for words in [["key", "show"], ["key", "regenerate"]] {
                let result = try CommandRunner.run(words + [Deployed.ada] + flags)
                #expect(result.status == 69 && result.stderr.contains("holds no master key") && result.stdout.isEmpty)
            }
        }

        /// A backup from before the rotation opens with the master keys of its time alone.
        private static func expectBackupToNeed(
            _ oldKeyFile: String, backup: String, newRingOf deployed: Deployed
        ) throws {
            let other = try InstallationFiles()
            let newKeyFile = try String(contentsOfFile: deployed.files.masterKeys, encoding: .utf8)
            func install(_ text: String) {
                _ = FileManager.default.createFile(
                    atPath: other.masterKeys, contents: Data(text.utf8), attributes: [.posixPermissions: 0o600])
            }
            install(newKeyFile)
            let refused = try other.run("restore", backup, "--yes")
            #expect(refused.status == 78 && refused.stderr.contains("mk_"), "\(refused.stderr)")
            #expect(!FileManager.default.fileExists(atPath: other.database))
            install(oldKeyFile)
            let restored = try other.run("restore", backup, "--yes")
            #expect(restored.status == 0, "\(restored.stderr)")
            #expect(try other.run("doctor").status == 0)
            #expect(try other.run("key", "show", Deployed.ada).line == deployed.key)
        }

        private struct Entry {
            let kind: String
            let id: String
        }

        /// What the exported ring holds, without the secrets.
        private static func ring(_ deployed: Deployed) throws -> [Entry] {
            let text = try deployed.files.run("master-key", "export").stdout
            return text.split(separator: "\n").filter { !$0.hasPrefix("#") }.map { line in
                let words = line.split(separator: " ")
                return Entry(kind: String(words[0]), id: String(words[1]))
            }
        }
    }
}

/// Clients that use a key without a pause and count how they are answered.
private final class Load: @unchecked Sendable {
    // Everything below is under the condition's lock.
    private let condition = NSCondition()
    private var responses = 0
    private var refused: [Int] = []

    /// The statuses other than 200.
    var failures: [Int] { condition.withLock { refused } }
    var summary: String { condition.withLock { "\(responses) answers, \(refused.count) other than 200" } }

    func run(_ deployed: Deployed, until crew: Crew) throws {
        let connection = try RawConnection(port: deployed.server.port)
        while !crew.shouldStop {
            let status = try connection.roundTrip(RawRequest.get(key: deployed.key)).status
            condition.withLock {
                responses += 1
                if status != 200 { refused.append(status) }
                condition.broadcast()
            }
        }
    }

    /// Waits until a good many more answers have come.
    func waitForMore() {
        let deadline = Date().addingTimeInterval(60)
        condition.withLock {
            let goal = responses + 100
            while responses < goal {
                guard condition.wait(until: deadline) else {
                    Issue.record("the clients stand still")
                    return
                }
            }
        }
    }
}
