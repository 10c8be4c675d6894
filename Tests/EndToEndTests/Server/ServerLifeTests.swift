import Foundation
import TestSupport
import Testing

extension EndToEndTests {
    /// A ``KeybearerServer`` with ``ServerSettings`` of ``ServeCommand`` beside commands, and how ``SignalWatch`` stops it:
    /// politely, stopped in its tracks, and killed.
    @Suite struct ServerLifeTests {
        @Test func aChangeByCommandHoldsWhenTheCommandEnds() throws {
            let deployed = try Deployed()
            let (eve, ada) = ("eve@example.com", Deployed.ada)
            let eveKey = try deployed.makeAccount(eve)
            let locked = "403 FEATURE_LOCKED"
            let refused = "401 UNAUTHORIZED"
            #expect(try deployed.outcome(of: deployed.key) == "200")
            #expect(try deployed.outcome(of: eveKey) == locked)
            try deployed.command("workspace", "add-member", deployed.workspaceID, eve)
            #expect(try deployed.outcome(of: eveKey) == "200")
            try deployed.command("workspace", "set-plan", deployed.workspaceID, "free")
            #expect(try deployed.outcome(of: eveKey) == locked)
            #expect(try deployed.outcome(of: deployed.key) == locked)
            try deployed.command("workspace", "set-plan", deployed.workspaceID, "pro")
            #expect(try deployed.outcome(of: eveKey) == "200")
            #expect(try deployed.outcome(of: deployed.key) == "200")
            try deployed.command("workspace", "remove-member", deployed.workspaceID, eve)
            #expect(try deployed.outcome(of: eveKey) == locked)
            try deployed.command("user", "disable", ada)
            #expect(try deployed.outcome(of: deployed.key) == refused)
            try deployed.command("user", "enable", ada)
            #expect(try deployed.outcome(of: deployed.key) == "200")
            let newKey = try deployed.command("key", "regenerate", ada)
            #expect(try deployed.outcome(of: deployed.key) == refused)
            #expect(try deployed.outcome(of: newKey) == "200")
            try deployed.command("plan", "put", "pro", "--name", "Pro", "--hourly-limit", "1", "--position", "1")
            #expect(try deployed.outcome(of: newKey) == locked)
            try deployed.command("user", "delete", eve, "--yes")
            #expect(try deployed.outcome(of: eveKey) == refused)
        }

        @Test func theHighestPasswordCostStaysInTheDatabase() throws {
            let deployed = try Deployed(["--password-cost", "18"])
            #expect(try deployed.storedSetting("password-cost") == "18")
            #expect(deployed.server.terminate() == 0)
            let lowered = try ServerProcess.serve(deployed.files)
            #expect(try deployed.storedSetting("password-cost") == "18")
            #expect(lowered.terminate() == 0)
        }

        @Test func aPasswordSetByCommandEndsTheSessions() throws {
            let deployed = try Deployed()
            let browser = try Browser(port: deployed.server.port)
            try browser.signIn(email: Deployed.ada, password: deployed.password)
            #expect(try browser.get("/account").status == 200)
            try deployed.command("user", "set-password", Deployed.ada, "--generate-password")
            #expect(try browser.get("/account")["location"]?.hasPrefix("/sign-in") == true)
        }

        @Test func aPoliteStopFinishesWhatItHasBegunAndWritesLastUses() throws {
            let deployed = try Deployed()
            let eveKey = try deployed.makeAccount("eve@example.com")
            try deployed.command("workspace", "add-member", deployed.workspaceID, "eve@example.com")
            let connection = try RawConnection(port: deployed.server.port)
            // One piece, so that the second request has begun when the first is answered; its body is still to come.
            let request = RawRequest.text(
                "POST", "/api/v1/key/regenerate",
                headers: [("Authorization", "Bearer \(deployed.key)"), ("Content-Type", "application/json")], body: "{}"
            )
            try connection.send(RawRequest.get(key: deployed.key) + request.dropLast(2))
            #expect(try connection.receive().status == 200)
            let used = Date()
            #expect(try deployed.respond(to: eveKey).status == 200)
            deployed.server.beginTermination()
            try Self.waitUntilRefused(port: deployed.server.port)
            try connection.send("{}")
            let response = try connection.receive()
            #expect(response.status == 200)
            let newKey = try #require(response.data?["key"] as? String)
            #expect(deployed.server.waitForEnd() == 0)
            #expect(try deployed.registeredServers() == 0, "the lease is given back")
            #expect(try deployed.command("key", "show", Deployed.ada) == newKey)
            let shown = try #require(try deployed.files.run("user", "show", "eve@example.com", "--json").object)
            let record = try #require(shown["key"] as? [String: Any])
            #expect(record["lastUsedIp"] as? String == "127.0.0.1")
            let usedAt = try #require(record["lastUsedAt"] as? String)
            let style = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
            // The record is in whole milliseconds.
            #expect(try style.parse(usedAt) >= used.addingTimeInterval(-0.001))
        }

        @Test func aServerThatStoodStillRefusesTheOldKeyFromItsFirstResponseOn() throws {
            let deployed = try Deployed(["--lease", "500ms"])
            let warm = try (0..<6).map { _ in try RawConnection(port: deployed.server.port) }
            let request = RawRequest.get(key: deployed.key)
            for connection in warm { #expect(try connection.roundTrip(request).status == 200) }
            deployed.server.suspend()
            // Ends while the server stands still: the lease runs out without it.
            let newKey = try deployed.command("key", "regenerate", Deployed.ada)
            #expect(try deployed.registeredServers() == 0, "the silent server is expelled")
            // Sent after the answer, and waiting in the sockets: the first that the server does is to read them.
            for connection in warm { try connection.send(request) }
            let fresh = try (0..<6).map { _ in try RawConnection(port: deployed.server.port) }
            for connection in fresh { try connection.send(request) }
            deployed.server.resume()
            let statuses = try (warm + fresh).map { try $0.receive().status }
            print("stood still: the old key was answered \(statuses)")
            #expect(statuses.allSatisfy { $0 == 401 || $0 == 503 })
            #expect(try deployed.outcome(of: deployed.key) == "401 UNAUTHORIZED")
            #expect(try deployed.outcome(of: newKey) == "200")
        }

        @Test func aKilledServerIsWaitedForOnce() throws {
            let deployed = try Deployed()
            #expect(try deployed.outcome(of: deployed.key) == "200")
            deployed.server.kill9()
            #expect(try deployed.registeredServers() == 1, "nobody has given its lease back")
            let first = try Self.milliseconds { try deployed.command("user", "disable", Deployed.ada) }
            #expect(try deployed.registeredServers() == 0, "the first change has waited for it and removed it")
            let second = try Self.milliseconds { try deployed.command("user", "enable", Deployed.ada) }
            print("killed server: the first change took \(first) ms, the second \(second) ms")
            #expect(try deployed.registeredServers() == 0)
        }

        /// Waits until nobody listens any more.
        private static func waitUntilRefused(port: Int) throws {
            let deadline = MonotonicTime.now().advanced(byMilliseconds: 30_000)
            while MonotonicTime.now() < deadline {
                guard let connection = try? RawConnection(port: port) else { return }
                connection.close()
            }
            Issue.record("the server went on listening")
        }

        private static func milliseconds(_ body: () throws -> Void) throws -> Int64 {
            let began = MonotonicTime.now()
            try body()
            return MonotonicTime.now().milliseconds(since: began)
        }
    }
}
