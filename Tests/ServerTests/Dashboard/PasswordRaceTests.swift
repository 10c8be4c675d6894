import KeybearerSQL
import Logging
import TestSupport
import Testing

@testable import Keybearer

/// Passwords that change while the ``SignInService`` uses them.
@Suite struct PasswordRaceTests {
    private static let rounds = 200
    private static let old = Password("the password of before")
    private static let new = Password("what the operator chose")
    private static let thiefs = Password("what the thief would like")

    /// Two processes on one database.
    private struct Nodes {
        let stores: [SQLStore]
        private let ring: MasterKeyRing
        private let directory: TemporaryDirectory

        init(_ engine: WalkEngine) throws {
            directory = try TemporaryDirectory()
            ring = try MasterKeyRing.generate(from: .system)
            let database = try engine.database(in: directory)
            stores = [try database(), try database()]
        }

        func node(_ index: Int, cost: Int = 10) -> Services {
            var settings = Services.Settings()
            settings.passwordCost = cost
            let ring = ring
            return Services(
                store: stores[index], ring: ring, loadRing: { ring }, settings: settings, role: .command,
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        }

        func close() throws {
            for store in stores { try store.close() }
        }
    }

    private static func account(_ node: Services, _ round: Int) async throws -> (account: Account, IPAddress) {
        let account = try await node.accounts.create(
            name: "Ada", email: "ada\(round)@example.com", password: old, by: .commandLine)
        // An address of its own: failures are counted by address.
        return (account, IPAddress(v4: 0xC612_0000 + UInt32(round)))
    }

    private static func signIn(
        _ node: Services, _ account: Account, _ password: Password, _ address: IPAddress
    ) async -> Result<SessionToken, any Error> {
        do {
            return .success(
                try await node.signIn.withPassword(
                    email: account.user.email.rawValue, password: password, from: address, userAgent: "Browser/1.0"
                ).token)
        } catch {
            return .failure(error)
        }
    }

    /// The operator's reset, now sooner and now later than what it races with.
    private static func reset(_ account: Account, on node: Services, _ round: Int) async throws {
        try await Task.sleep(for: .milliseconds(round % 8 * 2))
        try await node.accounts.setPassword(of: account.user, to: new, by: .commandLine)
    }

    @Test("Sign-ins in flight across a reset: no session of the old password lives", arguments: WalkEngine.allCases)
    func signInsAcrossReset(engine: WalkEngine) async throws {
        let nodes = try Nodes(engine)
        let (first, second) = (nodes.node(0), nodes.node(1))
        var (signedIn, refused) = (0, 0)
        for round in 0..<Self.rounds {
            let (account, address) = try await Self.account(first, round)
            async let reset: Void = Self.reset(account, on: second, round)
            let started = await withTaskGroup(of: Result<SessionToken, any Error>.self) { group in
                for node in [first, second, first] {
                    group.addTask { await Self.signIn(node, account, Self.old, address) }
                }
                return await group.reduce(into: []) { $0.append($1) }
            }
            try await reset
            for outcome in started {
                switch outcome {
                case .success(let token):
                    signedIn += 1
                    #expect(try await first.sessions.find(token) == nil, "round \(round)")
                case .failure(let error):
                    refused += 1
                    #expect((error as? KeybearerError)?.code == .unauthorized, "\(error)")
                }
            }
            #expect(try await first.sessions.list(of: account.user.id).isEmpty, "round \(round)")
            _ = try await Self.signIn(first, account, Self.new, address).get()
            await Self.expectRefused(second, account, Self.old, address)
        }
        #expect(signedIn > 0 && refused > 0, "one side always came first: \(signedIn), \(refused)")
        try nodes.close()
    }

    @Test("A thief's change in flight against the operator's reset: the reset stands", arguments: WalkEngine.allCases)
    func thiefAgainstReset(engine: WalkEngine) async throws {
        let nodes = try Nodes(engine)
        let (first, second) = (nodes.node(0), nodes.node(1))
        var (thefts, refused) = (0, 0)
        for round in 0..<Self.rounds {
            let (account, address) = try await Self.account(first, round)
            let (signedIn, token) = try await first.sessions.start(for: account, from: address, userAgent: "Thief/1.0")
            async let reset: Void = Self.reset(account, on: second, round)
            let changed = await Result {
                try await first.signIn.changePassword(
                    of: account.user, current: Self.old, new: Self.thiefs, in: signedIn.session.id, from: address)
            }
            try await reset
            if case .failure(let error) = changed {
                refused += 1
                // What a new request would get: the session has ended, or the password is not the current one.
                let code = try #require((error as? KeybearerError)?.code)
                #expect([.unauthorized, .validationFailed].contains(code), "\(error)")
            } else {
                thefts += 1
            }
            #expect(try await first.sessions.find(token) == nil, "round \(round)")
            #expect(try await first.sessions.list(of: account.user.id).isEmpty, "round \(round)")
            _ = try await Self.signIn(second, account, Self.new, address).get()
            await Self.expectRefused(first, account, Self.thiefs, address)
        }
        #expect(thefts > 0 && refused > 0, "one side always came first: \(thefts), \(refused)")
        try nodes.close()
    }

    private static func expectRefused(
        _ node: Services, _ account: Account, _ password: Password, _ address: IPAddress
    ) async {
        guard case .failure(let error) = await signIn(node, account, password, address) else {
            Issue.record("an old password signs in")
            return
        }
        #expect((error as? KeybearerError)?.code == .unauthorized)
    }

    @Test("Two devices sign in across a rise of the cost, and the hash follows", arguments: WalkEngine.allCases)
    func riseOfCost(engine: WalkEngine) async throws {
        let nodes = try Nodes(engine)
        let before = nodes.node(0)
        let (first, second) = (nodes.node(0, cost: 11), nodes.node(1, cost: 11))
        for round in 0..<20 {
            let (account, address) = try await Self.account(before, round)
            let stored = try #require(try await nodes.stores[0].credentials(of: account.user.id)).password
            #expect(stored.hash.hasPrefix("$scrypt$ln=10,"))
            async let one = Self.signIn(first, account, Self.old, address)
            async let other = Self.signIn(second, account, Self.old, address)
            let tokens = [try await one.get(), try await other.get()]
            let now = try #require(try await nodes.stores[1].credentials(of: account.user.id)).password
            #expect(now.hash.hasPrefix("$scrypt$ln=11,"))
            #expect(now.version == stored.version)
            for token in tokens { #expect(try await second.sessions.find(token) != nil) }
            // A device whose node still has the lower cost: neither its sign-in nor the hash is lost.
            _ = try await Self.signIn(before, account, Self.old, address).get()
            #expect(try await nodes.stores[0].credentials(of: account.user.id)?.password == now)
        }
        try nodes.close()
    }

    @Test(
        "The highest cost is kept in the database; known and unknown addresses cost the same",
        arguments: WalkEngine.allCases)
    func sameWork(engine: WalkEngine) async throws {
        let nodes = try Nodes(engine)
        let (account, address) = try await Self.account(nodes.node(0), 1)
        let costly = nodes.node(0, cost: 12)
        try await costly.signIn.adoptPasswordCost()
        #expect(try await nodes.stores[1].storedSetting(.passwordCost) == "12")
        // Lowered again: the database remembers, and hashes of both costs may be there.
        let lowered = nodes.node(1, cost: 11)
        try await lowered.signIn.adoptPasswordCost()
        #expect(try await nodes.stores[0].storedSetting(.passwordCost) == "12")
        for node in [costly, lowered] {
            for email in [account.user.email.rawValue, "nobody@example.com", "no address"] {
                let rounds = node.signIn.hasher.roundsDerived
                await #expect(throws: KeybearerError.self) {
                    try await node.signIn.withPassword(
                        email: email, password: Password("wrong"), from: address, userAgent: "")
                }
                #expect(node.signIn.hasher.roundsDerived - rounds == 1 << 12, "\(email)")
            }
        }
        try nodes.close()
    }
}

extension Result where Failure == any Error {
    /// What a body came to.
    init(_ body: () async throws -> Success) async {
        do {
            self = .success(try await body())
        } catch {
            self = .failure(error)
        }
    }
}
