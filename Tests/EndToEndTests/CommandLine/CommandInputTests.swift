import Foundation
@testable import Keybearer
@testable import KeybearerCLI
import KeybearerServer
import TestSupport
import Testing

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

extension EndToEndTests {
    /// Files that other systems wrote (``MasterKeyFile``, ``PasswordInput``), links, and starts that fail
    /// (``Bootstrap``, ``ListenAddress``, ``JSONLogHandler``).
    @Suite struct CommandInputTests {
        private static func install(_ text: String, at path: String) {
            _ = FileManager.default.createFile(
                atPath: path, contents: Data(text.utf8), attributes: [.posixPermissions: 0o600])
        }

        @Test func aMasterKeyFileMayHaveOtherLineEndsAndAByteOrderMark() throws {
            let files = try InstallationFiles()
            try files.copyInitialised()
            let key = try files.run("key", "show", "ada@example.com").line
            let ring = try String(contentsOfFile: files.masterKeys, encoding: .utf8)
            let windows = ring.replacingOccurrences(of: "\n", with: "\r\n")
            let oldMac = ring.replacingOccurrences(of: "\n", with: "\r")
            for text in [windows, "\u{FEFF}" + windows, "\u{FEFF}" + ring, oldMac, ring + "\r\n"] {
                Self.install(text, at: files.masterKeys)
                let shown = try files.run("key", "show", "ada@example.com")
                #expect(shown.status == 0 && shown.line == key, "\(shown.stderr)")
            }
        }

        @Test func aByteOrderMarkIsNoPartOfAPassword() throws {
            let files = try InstallationFiles()
            try files.copyInitialised()
            let server = try ServerProcess.serve(files)
            for (number, text) in ["\u{FEFF}a good secret\r\n", "a good secret\r\n", "\u{FEFF}a good secret"]
                .enumerated()
            {
                let email = "eve\(number)@example.com"
                let made = try files.run("user", "create", email, "--name", "Eve", "--password-stdin", stdin: text)
                #expect(made.status == 0, "\(made.stderr)")
                try Browser(port: server.port).signIn(email: email, password: "a good secret")
            }
            let empty = try files.run(
                "user", "set-password", "ada@example.com", "--password-stdin", stdin: "\u{FEFF}\r\n")
            #expect(empty.status == 66)
        }

        @Test func aPasswordIsTextWhereverItComesFrom() throws {
            #expect(try PasswordInput.decoded("pässword 🔑") == "pässword 🔑")
            // As a prompt reads it.
            let bytes = [0x70, 0xE4, 0x73, 0x73, 0].map { CChar(bitPattern: $0) }
            let refusal = #expect(throws: CommandFailure.self) {
                try PasswordInput.decoded(bytes.withUnsafeBufferPointer { String(cString: $0.baseAddress!) })
            }
            #expect(refusal?.status == .dataError && refusal?.message == "the password is not UTF-8 text")
        }

        @Test func aStartThatFailsSaysWhyAndEndsWithTheCodeOfThat() {
            var settings = KeybearerServer.Settings()
            settings.port = 0
            let disk = StoreFailure(
                .diskFull, "cannot write to", "/kb.db", "the disk is full", advice: "Free space on it.")
            let full = Bootstrap.startFailure(KeybearerError(disk), settings: settings)
            #expect(full.status == .unavailable && "\(full)" == disk.description)
            let fault = Bootstrap.startFailure(KeybearerError(.internalError, "A fault."), settings: settings)
            #expect(fault.status == .software && "\(fault)" == "A fault.")
            let files = Bootstrap.startFailure(KeybearerError(.conflict, "Too few files."), settings: settings)
            #expect(files.status == .unavailable && "\(files)" == "Too few files.")
        }

        @Test func aCertificateThatCannotBeUsedIsNamedAtTheStartAndAtAHangup() throws {
            let files = try InstallationFiles()
            try files.copyInitialised()
            let (certificate, key, other) = (
                files.directory.file("chain.pem"), files.directory.file("key.pem"), files.directory.file("other.pem")
            )
            for (key, certificate) in [(other, files.directory.file("foreign.pem")), (key, certificate)] {
                let made = try CommandRunner.run(
                    program: "openssl",
                    [
                        "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                        "-subj", "/CN=localhost", "-keyout", key, "-out", certificate,
                    ])
                try #require(made.status == 0, "\(made.stderr)")
            }
            func line(_ key: String, _ reason: String) -> String {
                "cannot use tls-certificate \(certificate) with tls-key \(key): \(reason). "
                    + "Check that both are PEM files and that the key belongs to the certificate."
            }
            func start(_ key: String) throws -> CommandResult {
                try CommandRunner.start(
                    ["serve", "--address", "127.0.0.1:0", "--tls-certificate", certificate, "--tls-key", key]
                        + files.flags
                ).finish(within: 30)
            }
            let foreign = try start(other)
            #expect(
                foreign.status == 78
                    && foreign.stderr.contains("keybearer: \(line(other, "they cannot be used together"))\n"),
                "\(foreign.stderr)")
            let swapped = try start(certificate)
            #expect(
                swapped.status == 78 && swapped.stderr.contains(line(certificate, "the key cannot be read")),
                "\(swapped.stderr)")

            let server = try ServerProcess.serve(files, ["--tls-certificate", certificate, "--tls-key", key])
            Self.install("no certificate", at: certificate)
            server.hangUp()
            #expect(server.says(line(key, "the certificate cannot be read")), "\(server.text)")
            try FileManager.default.removeItem(atPath: certificate)
            server.hangUp()
            #expect(server.says(line(key, "\(certificate): No such file or directory")), "\(server.text)")
            #expect(server.terminate() == 0)
        }

        @Test func aHangupEndsADemonstration() throws {
            let demonstration = try ServerProcess.demo(try InstallationFiles())
            demonstration.hangUp()
            #expect(demonstration.waitForEnd() == -SIGHUP)
        }

        @Test func aTakenPortIsNamed() throws {
            let files = try InstallationFiles()
            try files.copyInitialised()
            let server = try ServerProcess.serve(files)
            let taken = "127.0.0.1:\(server.port)"
            func start(_ arguments: String...) throws -> CommandResult {
                try CommandRunner.start(["serve"] + arguments + files.flags).finish(within: 30)
            }
            let address = try start("--address", taken)
            #expect(
                address.status == 69 && address.stderr.contains("cannot listen on \(taken) (address): another process"))
            let gate = try start("--address", "127.0.0.1:0", "--gate-address", taken)
            #expect(
                gate.status == 69 && gate.stderr.contains("cannot listen on \(taken) (gate-address)"), "\(gate.stderr)")
            let foreign = try start("--address", "192.0.2.1:0")
            #expect(foreign.status == 69 && foreign.stderr.contains("does not have that address"), "\(foreign.stderr)")
            let unknown = try start("--address", "nowhere.invalid:0")
            #expect(unknown.status == 69 && unknown.stderr.contains("the host 'nowhere.invalid' is unknown"))
            let file = files.directory.file("no.sock")
            Self.install("a file", at: file)
            for (path, piece) in [("/nowhere/gate.sock", "the directory /nowhere"), (file, "no socket")] {
                let socket = try start("--address", "127.0.0.1:0", "--gate-address", "unix:\(path)")
                #expect(socket.status == 69 && socket.stderr.contains("cannot listen on unix:\(path) (gate-address)"))
                #expect(socket.stderr.contains(piece), "\(socket.stderr)")
            }
            #expect(try String(contentsOfFile: file, encoding: .utf8) == "a file")
            Self.install("no certificate", at: files.directory.file("a.pem"))
            let tls = try start(
                "--address", "127.0.0.1:0", "--tls-certificate", files.directory.file("a.pem"), "--tls-key",
                files.directory.file("a.pem"))
            #expect(tls.status == 78 && tls.stderr.contains("tls-certificate"), "\(tls.stderr)")
            for result in [address, gate, foreign, unknown, tls] { #expect(!result.stderr.contains("?")) }
        }

        @Test func aLogOfJSONHasNoOtherLines() throws {
            let files = try InstallationFiles()
            try files.copyInitialised()
            let socket = files.directory.file("gate.sock")
            let server = try ServerProcess.serve(files, ["--log-format", "json", "--gate-address", "unix:\(socket)"])
            #expect(server.terminate() == 0)
            let lines = server.text.split(separator: "\n")
            #expect(lines.count >= 2)
            for line in lines {
                #expect((try? JSONSerialization.jsonObject(with: Data(line.utf8))) is [String: Any], "\(line)")
            }
        }

        @Test func aStarListensOnAllAddresses() throws {
            let files = try InstallationFiles()
            try files.copyInitialised()
            // A server that has no TLS refuses requests of others, but it listens to them.
            let server = try ServerProcess(
                ["serve", "--address", "*:0"] + files.flags, logs: files.directory, name: "all")
            let response = try RawConnection(port: server.port).roundTrip(
                "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            #expect(response.status == 200, "over IPv4: \(response.status)")
        }
    }
}
