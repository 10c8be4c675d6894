import Foundation
import GRDB
import TestSupport
import Testing

extension EndToEndTests {
    /// The rate limit over kills: what a server admitted and had not written counts all the same.
    @Suite struct RateLimitKillTests {
        private static let limit = 200
        private static let kills = 5

        @Test func noWindowExceedsItsLimitHoweverOftenTheServerIsKilled() throws {
            let deployed = try Deployed()
            try deployed.command(
                "plan", "put", "pro", "--name", "Pro", "--hourly-limit", "\(Self.limit)", "--feature", "api_webhooks",
                "--position", "1")
            // One that was opened under the limit now; the next is opened half a minute later.
            #expect(deployed.server.terminate() == 0)
            #expect(try Self.sharedReservations(deployed.files).isEmpty, "a stop closes them")
            var server = try ServerProcess.serve(deployed.files)
            try Self.waitForSharedReservation(deployed.files)
            var admitted = 0
            var left: [Int]?
            for kill in 1...Self.kills {
                admitted += try Self.admitted(1 + kill * 3, of: deployed.key, at: server)
                server.kill9()
                // Those of the first server alone, which nobody closes.
                let open = try Self.sharedReservations(deployed.files)
                #expect(open == left ?? open, "after kill \(kill)")
                left = open
                server = try ServerProcess.serve(deployed.files)
            }
            #expect(admitted == (1...Self.kills).reduce(0) { $0 + 1 + $1 * 3 })
            admitted += try Self.admitted(2 * Self.limit, of: deployed.key, at: server)
            #expect(admitted <= Self.limit)
            // Each kill loses at most a tenth that was reserved, and all of them one server's shared reservations.
            let lost = try #require(left).reduce(0, +)
            #expect((10...20).contains(lost))
            #expect(admitted >= Self.limit - Self.kills * Self.limit / 10 - lost)
            #expect(server.terminate() == 0)
        }

        private static func admitted(_ requests: Int, of key: String, at server: ServerProcess) throws -> Int {
            let connection = try RawConnection(port: server.port)
            var admitted = 0
            var asked = 0
            let deadline = MonotonicTime.now().advanced(byMilliseconds: 60_000)
            while asked < requests {
                let status = try connection.roundTrip(RawRequest.get("/api/v1/me", key: key)).status
                // A slow machine may lose its lease for a moment.
                if status == 503, MonotonicTime.now() < deadline { continue }
                asked += 1
                if status == 200 { admitted += 1 }
                if status == 429 { break }
                try #require(status == 200, "\(status)")
            }
            return admitted
        }

        private static func waitForSharedReservation(_ files: InstallationFiles) throws {
            let deadline = MonotonicTime.now().advanced(byMilliseconds: 20_000)
            while try sharedReservations(files).isEmpty {
                try #require(MonotonicTime.now() < deadline, "none was opened")
                usleep(50_000)
            }
        }

        /// How many requests each shared reservation in the file is for.
        private static func sharedReservations(_ files: InstallationFiles) throws -> [Int] {
            var configuration = Configuration()
            configuration.readonly = true
            configuration.busyMode = .timeout(5)
            let file = try DatabaseQueue(path: files.database, configuration: configuration)
            defer { try? file.close() }
            return try file.read { db in try Int.fetchAll(db, sql: "SELECT count FROM budget_allowances ORDER BY id") }
        }
    }
}
