import Foundation
import TestSupport
import Testing

extension EndToEndTests {
    /// The help of every command of ``KeybearerCommand``, and the master keys that `serve` refuses.
    /// `CommandScriptTests` has the sequences.
    @Suite struct CommandLineTests {
        @Test func theHelpOfEveryCommandIsPrinted() throws {
            let dump = try CommandRunner.run(["--experimental-dump-help"])
            let root = try #require(dump.object?["command"] as? [String: Any], "\(dump.stderr)")
            var asked: [[String]] = []
            func walk(_ command: [String: Any], _ path: [String]) {
                asked.append(path + ["--help"])
                asked.append(["help"] + path)
                for child in command["subcommands"] as? [[String: Any]] ?? [] {
                    guard let name = child["commandName"] as? String, name != "help" else { continue }
                    walk(child, path + [name])
                }
            }
            walk(root, [])
            #expect(asked.contains(["help", "serve"]) && asked.contains(["user", "create", "--help"]))
            for words in asked {
                let result = try CommandRunner.run(words)
                #expect(result.status == 0 && result.stderr.isEmpty, "\(words): \(result.status) \(result.stderr)")
                let path = words.filter { !["help", "--help"].contains($0) }
                #expect(result.stdout.contains((["USAGE: keybearer"] + path).joined(separator: " ")), "\(words)")
            }
        }

        @Test func serveRefusesMasterKeysThatAreMissingOpenOrSamples() throws {
            let files = try InstallationFiles()
            try files.copyInitialised()
            let ring = try String(contentsOfFile: files.masterKeys, encoding: .utf8)
            func serve() throws -> CommandResult {
                // One that starts in spite of it is not waited for.
                try CommandRunner.start(["serve", "--address", "127.0.0.1:0"] + files.flags).finish(within: 20)
            }
            func write(_ text: String, mode: Int = 0o600) throws {
                try text.write(toFile: files.masterKeys, atomically: true, encoding: .utf8)
                try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: files.masterKeys)
            }
            for mode in [0o644, 0o640, 0o604, 0o620] {
                try write(ring, mode: mode)
                let result = try serve()
                #expect(result.status == 77 && result.stderr.contains("chmod 600"), "mode \(String(mode, radix: 8))")
            }
            let counting = Data((0..<32).map { UInt8($0) })
            let samples = [
                counting, Data(repeating: 7, count: 32), Data(String(repeating: "ab", count: 16).utf8),
                Data("0123456789abcdef0123456789abcdef".utf8),
            ]
            for sample in samples {
                try write("active mk_0123456789ABCDEFGHIJKL \(sample.base64EncodedString())\n")
                let result = try serve()
                #expect(result.status == 78 && result.stderr.contains("sample or not random"), "\(result.stderr)")
                #expect(!result.stderr.contains(sample.base64EncodedString()))
            }
            let malformed = [
                ("", "holds no key"), ("active mk_x AAAA\n", "32 bytes long"), ("nonsense\n", "line 1"),
            ]
            for (text, word) in malformed {
                try write(text)
                let result = try serve()
                #expect(result.status == 78 && result.stderr.contains(word), "\(result.stderr)")
            }
            try FileManager.default.removeItem(atPath: files.masterKeys)
            let missing = try serve()
            #expect(missing.status == 66 && missing.stderr.contains(files.masterKeys))
        }
    }
}
