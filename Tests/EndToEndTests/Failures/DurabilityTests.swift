import Foundation
import GRDB
import Keybearer
import TestSupport
import Testing

extension EndToEndTests {
    /// What was answered is there after the process was killed, whenever that happened.
    @Suite struct DurabilityTests {
        private static let kills = 50
        /// A kill that hit no write is repeated; far more of those than kills mean that the test is broken.
        private static let mostAttempts = 150
        private static let seed: UInt64 = 20_260_101

        @Test func everyAcknowledgedWriteSurvivesKills() throws {
            let files = try InstallationFiles()
            let ledger = WriteLedger()
            let random = RandomSource.seeded(Self.seed)
            var server = try Self.start(files)
            let holders = try Self.makeHolders(port: server.port, ledger: ledger)
            var tally = KillTally()
            while tally.kills < Self.kills, tally.attempts < Self.mostAttempts {
                let unanswered = try Self.writeAndKill(
                    server, files: files, ledger: ledger, holders: holders, random: random)
                tally.attempts += 1
                tally.unansweredWrites += unanswered
                if unanswered > 0 { tally.kills += 1 }
                server = try Self.start(files)
                try Aftermath(files: files, port: server.port, ledger: ledger, holders: holders).check(&tally)
            }
            print("durability: \(tally), \(ledger.summary)")
            #expect(tally.kills == Self.kills)
            #expect(server.terminate() == 0)
            let examined = try files.run("doctor")
            #expect(examined.status == 0, "\(examined.stdout)")
        }

        private static func start(_ files: InstallationFiles) throws -> ServerProcess {
            // A short lease: each start waits once for the one that the killed server held.
            try ServerProcess.demo(
                files, ["--hourly-limit", "100000000"], environment: ["KEYBEARER_LEASE": "500ms"])
        }

        /// Two accounts whose key is regenerated again and again, and one whose plan is switched.
        private static func makeHolders(port: Int, ledger: WriteLedger) throws -> [KeyHolder] {
            try (0..<3).map { number in
                let email = "holder\(number)@example.com"
                let browser = try Browser(port: port)
                try browser.signUp(name: "Holder", email: email, password: "correct horse \(number)")
                ledger.acknowledgeAccount(email, by: "form")
                let page = try browser.keyPage()
                try browser.switchPlan("pro", page: page)
                ledger.acknowledgePlan("pro", of: email)
                ledger.acknowledgeKey(try browser.reveal(page: page), of: email)
                return KeyHolder(email: email, page: page, token: try #require(browser.token))
            }
        }

        /// Lets writers write, kills server and command at a random moment.
        ///
        /// - Returns: how many writes had been sent in full and were never answered.
        private static func writeAndKill(
            _ server: ServerProcess, files: InstallationFiles, ledger: WriteLedger, holders: [KeyHolder],
            random: RandomSource
        ) throws -> Int {
            let writers = Writers(port: server.port, files: files, ledger: ledger)
            let crew = Crew()
            crew.start { _ in try writers.signUps() }
            crew.start { _ in try writers.signUps() }
            crew.start { _ in try writers.regenerates(holders[0].email) }
            crew.start { _ in try writers.regenerates(holders[1].email) }
            crew.start { _ in try writers.planSwitches(holders[2]) }
            crew.start { _ in try writers.commands() }
            let bytes = random.bytes(3)
            writers.waitForResponses(1 + Int(bytes[0]) % 40, includingCommand: bytes[0].isMultiple(of: 3))
            // The moment itself: somewhere in the next 6.5 ms.
            usleep(UInt32(bytes[1]) * 25 + UInt32(bytes[2]) / 4)
            writers.killBegins()
            server.kill9()
            writers.killCommand()
            try crew.finish()
            return writers.unansweredAtKill
        }
    }

    /// What the kills came to.
    struct KillTally: CustomStringConvertible {
        var kills = 0
        var attempts = 0
        var unansweredWrites = 0
        var committedWithoutResponse = 0
        var replays = 0

        var description: String {
            "\(kills) kills with a write in flight of \(attempts), \(unansweredWrites) writes unanswered, "
                + "\(committedWithoutResponse) of them committed, \(replays) settled by a replay"
        }
    }
}

/// An account that a durability test works on, with a session that outlives the server.
struct KeyHolder: Sendable {
    let email: String
    /// `/workspaces/ws_…/api-webhooks`
    let page: String
    /// The session's token.
    let token: String
}

/// Compares a restarted server and its file with what was answered before the kill.
private struct Aftermath {
    let files: InstallationFiles
    let port: Int
    let ledger: WriteLedger
    let holders: [KeyHolder]

    func check(_ tally: inout EndToEndTests.KillTally) throws {
        var configuration = Configuration()
        configuration.readonly = true
        configuration.busyMode = .timeout(5)
        let file = try DatabaseQueue(path: files.database, configuration: configuration)
        try file.read(checkFile)
        try checkAccounts(file, &tally)
        for holder in holders {
            try checkKey(of: holder, file, &tally)
            try checkPlan(of: holder, file, &tally)
        }
        // The session was answered too.
        let browser = try Browser(port: port, token: holders[2].token)
        #expect(try browser.get(holders[2].page).status == 200)
        try file.close()
    }

    private func checkFile(_ db: Database) throws {
        #expect(try String.fetchAll(db, sql: "PRAGMA integrity_check") == ["ok"])
        #expect(try Row.fetchAll(db, sql: "PRAGMA foreign_key_check").isEmpty)
        let notOne = """
            SELECT count(*) FROM (SELECT u.id FROM users u LEFT JOIN api_keys k ON k.user_id = u.id
            GROUP BY u.id HAVING count(k.key_id) <> 1)
            """
        #expect(try Int.fetchOne(db, sql: notOne) == 0)
        let orphans = "SELECT count(*) FROM api_keys WHERE user_id NOT IN (SELECT id FROM users)"
        #expect(try Int.fetchOne(db, sql: orphans) == 0)
    }

    private func checkAccounts(_ file: DatabaseQueue, _ tally: inout EndToEndTests.KillTally) throws {
        let present = try file.read { db in try Set(String.fetchAll(db, sql: "SELECT email FROM users")) }
        let expected = ledger.accounts
        let lost = expected.acknowledged.subtracting(present)
        #expect(lost.isEmpty, "answered accounts are gone")
        let unexpected = present.subtracting(expected.acknowledged).subtracting(["ada@example.com"])
        #expect(unexpected.isSubset(of: expected.attempted), "accounts that nobody asked for")
        tally.committedWithoutResponse += unexpected.count
        // From now on they have to stay.
        for email in unexpected { ledger.acknowledgeAccount(email, by: "nobody") }
    }

    /// The key that was answered last passes, unless a regenerate was cut off that had been committed. Then the same
    /// request, sent again by command, gives the one key that is live, and changes nothing.
    private func checkKey(
        of holder: KeyHolder, _ file: DatabaseQueue, _ tally: inout EndToEndTests.KillTally
    ) throws {
        let known = try #require(ledger.key(of: holder.email))
        let version = try self.version(of: holder, file)
        let passes = try authenticates(known.characters)
        guard version != known.version else { return #expect(passes, "an answered key does not pass") }
        let cut = try #require(known.unansweredRequest, "a key was regenerated that nobody asked for")
        #expect(version == known.version + 1 && !passes)
        let replay = try files.run("key", "regenerate", holder.email, "--idempotency-key", cut)
        #expect(replay.status == 0, "\(replay.stderr)")
        #expect(try self.version(of: holder, file) == version, "a replay made a second change")
        #expect(try authenticates(replay.line))
        tally.committedWithoutResponse += 1
        tally.replays += 1
        ledger.acknowledgeKey(replay.line, of: holder.email)
    }

    private func checkPlan(
        of holder: KeyHolder, _ file: DatabaseQueue, _ tally: inout EndToEndTests.KillTally
    ) throws {
        let id = String(holder.page.split(separator: "/")[1])
        let plan = try file.read { db in
            try String.fetchOne(db, sql: "SELECT plan_id FROM workspaces WHERE id = ?", arguments: [id])
        }
        let known = try #require(ledger.plan(of: holder.email))
        if plan == known.id { return }
        #expect(plan == known.unanswered, "an answered change of plan is gone")
        tally.committedWithoutResponse += 1
        ledger.acknowledgePlan(try #require(plan), of: holder.email)
    }

    private func version(of holder: KeyHolder, _ file: DatabaseQueue) throws -> Int {
        try #require(
            try file.read { db in
                try Int.fetchOne(
                    db, sql: "SELECT k.version FROM api_keys k JOIN users u ON u.id = k.user_id WHERE u.email = ?",
                    arguments: [holder.email])
            })
    }

    /// Whether the key is known. The account whose plan is switched may be locked out all the same.
    private func authenticates(_ key: String) throws -> Bool {
        let response = try RawConnection(port: port).roundTrip(RawRequest.get("/api/v1/key", key: key))
        #expect(response.status == 200 || response.status == 401 || response.errorCode == "FEATURE_LOCKED")
        return response.status != 401
    }
}
