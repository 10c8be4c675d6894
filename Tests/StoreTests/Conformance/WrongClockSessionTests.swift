import Keybearer
import KeybearerPostgres
import KeybearerSQL
import Logging
import TestSupport
import Testing

/// Sessions and last uses where one of the ``Clocks`` of a process, or that of the store, was wrong.
@Suite struct WrongClockSessionTests {
    private static let year: Duration = .seconds(365 * 24 * 3_600)
    private let password = Password("long enough secret")

    private func services(_ store: any Store, _ ring: MasterKeyRing, lead: Duration = .zero) -> Services {
        var settings = Services.Settings()
        settings.passwordCost = 10
        let system = Clocks.system
        return Services(
            store: store, ring: ring, loadRing: { ring }, settings: settings,
            role: .server,
            clocks: Clocks(steady: system.steady, wall: { system.wall().advanced(by: lead) }),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    @Test(arguments: storesUnderTest)
    func aSessionFromAheadHasEnded(_ subject: StoreUnderTest) async throws {
        let ring = try MasterKeyRing.generate(from: .system)
        try await subject.run { store, samples in
            let now = services(store, ring)
            let ada = try await now.accounts.create(
                name: "Ada", email: "ada@example.com", password: password, by: .commandLine)
            func signIn(lead: Duration) async throws -> SessionToken {
                try await services(store, ring, lead: lead).signIn.withPassword(
                    email: "ada@example.com", password: password, from: Samples.address, userAgent: "Browser/1.0"
                ).token
            }
            for lead in [Self.year, .seconds(3_600), .seconds(300), .seconds(125)] {
                let token = try await signIn(lead: lead)
                let signedIn = try #require(try await services(store, ring, lead: lead).sessions.find(token))
                #expect(signedIn.isRecent)
                // The clock is set back: it has ended, on the next page and where a change would be committed.
                #expect(try await now.sessions.find(token) == nil)
                await expect(.unauthorized) {
                    _ = try await now.keys.reveal(ada.user.id, by: signedIn.authority(from: Samples.address))
                }
                #expect(try await now.sessions.list(of: ada.user.id).isEmpty)
            }
            let token = try await signIn(lead: .seconds(60))
            let signedIn = try #require(try await now.sessions.find(token))
            #expect(signedIn.isRecent)
            _ = try await now.keys.reveal(ada.user.id, by: signedIn.authority(from: Samples.address))
            await now.node?.removeWhatIsOver()
            #expect(try await store.sessions(of: ada.user.id, now: Clocks.system.wall()).sessions.count == 1)
        }
    }

    @Test func onPostgresTheDatabasesClockStampsAndJudges() async throws {
        let database = try PostgresDatabase()
        let ring = try MasterKeyRing.generate(from: .system)
        let store = try database.open(clock: .database)
        let now = services(store, ring)
        let ada = try await now.accounts.create(
            name: "Ada", email: "ada@example.com", password: password, by: .commandLine)
        for lead in [Self.year, .zero - Self.year] {
            let wrong = services(store, ring, lead: lead)
            let (signedIn, token) = try await wrong.signIn.withPassword(
                email: "ada@example.com", password: password, from: Samples.address, userAgent: "Browser/1.0")
            let stamp = signedIn.session.createdAt.duration(to: Clocks.system.wall())
            #expect(stamp < .seconds(120) && stamp > .seconds(-120))
            for process in [wrong, now] {
                let found = try #require(try await process.sessions.find(token))
                #expect(found.isRecent)
                #expect(found.session.createdAt == signedIn.session.createdAt)
                await process.node?.removeWhatIsOver()
                #expect(try await process.sessions.list(of: ada.user.id).map(\.id) == [signedIn.session.id])
            }
            // What seems to come from ahead has ended for all, whatever their own clocks say.
            try database.run("UPDATE sessions SET last_seen_at = last_seen_at + 200000")
            for process in [wrong, now] { #expect(try await process.sessions.find(token) == nil) }
            await wrong.node?.removeWhatIsOver()
            #expect(try await store.sessions(of: ada.user.id, now: Clocks.system.wall()).sessions.isEmpty)
        }
        try store.close()
    }

    @Test(arguments: storesUnderTest)
    func aLastUseFromAheadGivesWayToTheNext(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let account = try await store.addAccount(samples)
            func record(at seconds: Int64, now: Int64) async throws -> Timestamp? {
                try await store.recordUse(
                    of: account, LastUse(at: samples.at(seconds), address: Samples.address), now: samples.at(now))
                return try await store.key(of: account.user.id)?.lastUse?.at
            }
            let year = Self.year.components.seconds
            #expect(try await record(at: year, now: year) == samples.at(year))
            #expect(try await record(at: 10, now: 10) == samples.at(10))
            #expect(try await record(at: 5, now: 11) == samples.at(10), "an older one of another node")
            #expect(try await record(at: 125, now: 12) == samples.at(125))
            #expect(try await record(at: 13, now: 13) == samples.at(125), "a clock that differs a little")
        }
    }
}
