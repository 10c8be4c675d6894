import Foundation
import GRDB
import TestSupport
import Testing

extension EndToEndTests {
    /// No key, password, session token or master key is ever written where it does not belong.
    @Suite struct SecretLeakTests {
        @Test func nothingWrittenHoldsASecret() throws {
            let files = try InstallationFiles()
            let log = SecretLog(files: files)
            log.record("the operator's password", try files.initialise())
            try Self.recordMasterKeys(files, in: log)
            for format in ["text", "json"] {
                let settings = files.directory.file("settings-\(format).json")
                try #"{"log-level": "debug", "log-format": "\#(format)", "access-log": "\#(format)"}"#
                    .write(toFile: settings, atomically: true, encoding: .utf8)
                let server = try ServerProcess.serve(files, ["--config", settings], name: "server-\(format)")
                try BusyDay(files: files, port: server.port, log: log, name: format).run()
                // With the server running, so that the write-ahead log and its index are there.
                let live = try log.filesToSearch()
                #expect(live.contains { $0.hasSuffix("keybearer.db-wal") } && live.contains { $0.hasSuffix("-shm") })
                #expect(try log.search().hits(in: live).isEmpty)
                try log.run("backup", files.directory.file("\(format).backup"))
                #expect(server.terminate() == 0)
                let said = server.text
                #expect(said.contains("A page failed."), "the fault that was made must have been logged")
                #expect(said.contains("debug") || said.contains("info"))
            }
            try log.run("doctor", "--json", expecting: 78)
            let hits = try log.search().hits(in: log.filesToSearch())
            #expect(hits.isEmpty, "\(hits.map(\.description).sorted())")
            print("secret search: \(log.summary)")
        }

        @Test func theSearchFindsWhatIsPlanted() throws {
            let directory = try TemporaryDirectory()
            let masterKey: [UInt8] = (0..<32).map { number in UInt8((number * 37 + 251) % 256) }
            let secrets: [(name: String, bytes: [UInt8])] = [
                ("a key", Array("tdc_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZab".utf8)),
                ("a password", Array("correct horse battery".utf8)),
                ("a session token", Array("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ".utf8)),
                ("a master key", masterKey),
            ]
            let search = SecretSearch(secrets)
            for (name, bytes) in secrets {
                for encoding in SecretSearch.Encoding.allCases {
                    let planted = Self.plant(bytes, encoding)
                    let file = directory.file("\(name)-\(encoding).log")
                    try planted.write(to: URL(fileURLWithPath: file))
                    let hits = try search.hits(in: [file])
                    #expect(hits.contains { $0.name == name && $0.encoding == encoding }, "\(name) in \(encoding)")
                }
            }
            try Self.expectHitsInDatabase(directory, search: search, secret: secrets[0].bytes)
        }

        /// A secret as a careless program would write it: encoded together with what stands around it.
        private static func plant(_ secret: [UInt8], _ encoding: SecretSearch.Encoding) -> Data {
            func around(_ bytes: Int) -> Data { Data(Array("ab".utf8.prefix(bytes)) + secret + Array("yz".utf8)) }
            func urlSafe(_ text: String) -> String {
                text.replacingOccurrences(of: "+", with: "-").replacingOccurrences(of: "/", with: "_")
            }
            let text: Data =
                switch encoding {
                case .clear: Data(secret)
                case .lowerHex: Data(secret.map { String(format: "%02x", $0) }.joined().utf8)
                case .upperHex: Data(secret.map { String(format: "%02X", $0) }.joined().utf8)
                case .base64: around(0).base64EncodedData()
                case .base64Offset1: around(1).base64EncodedData()
                case .base64Offset2: around(2).base64EncodedData()
                case .base64URL: Data(urlSafe(around(0).base64EncodedString()).utf8)
                case .base64URLOffset1: Data(urlSafe(around(1).base64EncodedString()).utf8)
                case .base64URLOffset2: Data(urlSafe(around(2).base64EncodedString()).utf8)
                }
            return Data("2026-01-01 info: ".utf8) + text + Data(" end\n".utf8)
        }

        /// A row in the write-ahead log is found there, and in the file once it has been moved.
        private static func expectHitsInDatabase(
            _ directory: TemporaryDirectory, search: SecretSearch, secret: [UInt8]
        ) throws {
            let path = directory.file("planted.db")
            let pool = try DatabasePool(path: path)
            try pool.write { db in
                try db.execute(sql: "CREATE TABLE notes (text BLOB)")
                try db.execute(sql: "INSERT INTO notes VALUES (?)", arguments: [Data(secret)])
            }
            #expect(try search.hits(in: [path + "-wal"]).count == 1)
            try pool.writeWithoutTransaction { db in _ = try db.checkpoint(.truncate) }
            #expect(try search.hits(in: [path]).count == 1)
            try pool.close()
        }

        private static func recordMasterKeys(_ files: InstallationFiles, in log: SecretLog) throws {
            let text = try String(contentsOfFile: files.masterKeys, encoding: .utf8)
            for line in text.split(separator: "\n") where line.hasPrefix("active") {
                let encoded = try #require(line.split(separator: " ").last)
                log.record("the master key", bytes: [UInt8](try #require(Data(base64Encoded: String(encoded)))))
            }
        }
    }
}
