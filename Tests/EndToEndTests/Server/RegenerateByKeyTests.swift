import Foundation
import TestSupport
import Testing

extension EndToEndTests {
    /// Whether a key can make the next one, as the setting says, else as the database does: of `serve`, and of
    /// ``DemoCommand``.
    @Suite struct RegenerateByKeyTests {
        /// The statuses that a key gets from a path that does not exist, and from its own regenerate.
        private static func statuses(_ files: InstallationFiles, _ key: String, _ arguments: [String]) throws -> [Int] {
            let server = try ServerProcess(
                ["serve", "--address", "127.0.0.1:0"] + files.flags + arguments, logs: files.directory)
            defer { server.terminate() }
            return try ["/api/v1/key/unknown", "/api/v1/key/regenerate"].map { path in
                let headers = [("Authorization", "Bearer \(key)")]
                let request = RawRequest.text("POST", path, headers: headers, body: "")
                return try RawConnection(port: server.port).roundTrip(request).status
            }
        }

        @Test func aNewDatabaseIsClosedUnlessTheSettingOpensIt() throws {
            let deployed = try Deployed()
            #expect(deployed.server.terminate() == 0)
            #expect(try Self.statuses(deployed.files, deployed.key, []) == [404, 404])
            #expect(try Self.statuses(deployed.files, deployed.key, ["--regenerate-by-key", "open"]) == [404, 200])
        }

        @Test func aDemonstrationIsOpenUnlessTheSettingClosesIt() throws {
            let files = try InstallationFiles()
            let demo = try ServerProcess.demo(files)
            let key = try #require(demo.greeting).key
            #expect(demo.terminate() == 0)
            #expect(try Self.statuses(files, key, ["--regenerate-by-key", "closed"]) == [404, 404])
            #expect(try Self.statuses(files, key, []) == [404, 200])
        }
    }
}
