import Dispatch
import KeybearerSQL
import Logging
import TestSupport
import Testing

@testable import Keybearer

/// ``AccountService`` and sign-in with what people type (``AccountLookup``, ``StoredCredentials``), against accounts of
/// this version and of earlier ones (``Twins``).
@Suite struct AccountInputConformance {
    private static let password = Password("long enough secret")

    private static let ring = Result { try MasterKeyRing.generate(from: .system) }

    private static func services(_ store: any Store, clocks: Clocks = .system) throws -> Services {
        let ring = try ring.get()
        var settings = Services.Settings()
        settings.passwordCost = 10
        return Services(
            store: store, ring: ring, loadRing: { ring }, settings: settings, role: .command, clocks: clocks,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    private static func signIn(_ services: Services, _ email: String, _ password: Password = password) async throws
        -> UserID
    {
        try await services.signIn.withPassword(
            email: email, password: password, from: Samples.address, userAgent: "Browser/1.0"
        ).signedIn.account.user.id
    }

    private static func signUp(_ services: Services, _ email: String) async throws -> UserID {
        try await services.accounts.create(name: "Ada", email: email, password: password, by: .commandLine).user.id
    }

    /// An account whose address is stored as an earlier version stored it.
    private static func old(
        _ services: Services, _ store: any Store, _ samples: Samples, _ email: String
    ) async throws -> UserID {
        let account = try #require(EmailAddress.legacyForm(email), "no earlier version took it")
        let plain = samples.newAccount(email: account.rawValue)
        let new = NewAccount(
            user: plain.user, passwordHash: plain.passwordHash, key: plain.key,
            sealedKey: samples.sealedKey(under: try #require(try ring.get().activeID)), workspaceID: plain.workspaceID,
            workspaceName: plain.workspaceName)
        _ = try await store.add(new, samples)
        try await services.accounts.setPassword(of: new.user, to: password, by: .commandLine)
        return new.user.id
    }

    private static func twins(_ store: any Store, pageSize: Int = 1_000) async throws -> [[UserID]] {
        let store = try #require(store as? SQLStore)
        return try await store.twins(pageSize: pageSize)
    }

    /// The first makes the account; the others are the same address.
    private static let same = [
        ["ada@example.com", "ADA@example.com", " ada@EXAMPLE.com "],
        ["\u{E9}va@example.com", "e\u{301}va@example.com", "\u{C9}VA@example.com", "E\u{301}va@example.com"],
        ["e\u{323}\u{302}@b.c", "\u{1EC7}@b.c", "e\u{302}\u{323}@b.c", "\u{1EB9}\u{302}@b.c"],
        ["ada@xn--bcher-kva.example", "ada@XN--BCHER-KVA.EXAMPLE"],
    ]

    /// Two addresses that stay two.
    private static let distinct = [
        ("ada@example.com", "ada@example.org"), ("ada@b.c", "ada.l@b.c"), ("eva@b.c", "\u{E9}va@b.c"),
        ("ada+one@b.c", "ada@b.c"), ("ada@xn--bcher-kva.example", "ada@bucher.example"),
        ("\u{E9}@b.c", "\u{E8}@b.c"),
    ]

    @Test(arguments: storesUnderTest)
    func oneAddressIsOneAccountInEverySpelling(_ subject: StoreUnderTest) async throws {
        for spellings in Self.same {
            try await subject.run { store, _ in
                let services = try Self.services(store)
                let id = try await Self.signUp(services, spellings[0])
                for spelling in spellings {
                    await expect(.conflict) { _ = try await Self.signUp(services, spelling) }
                    #expect(try await Self.signIn(services, spelling) == id)
                    #expect(try await services.accounts.find(spelling).user.id == id)
                }
                #expect(try await services.accounts.list(page: 1, limit: 10).total == 1)
                #expect(try await Self.twins(store).isEmpty)
            }
        }
    }

    @Test(arguments: storesUnderTest)
    func whatDiffersIsTwoAccounts(_ subject: StoreUnderTest) async throws {
        for (one, other) in Self.distinct {
            try await subject.run { store, _ in
                let services = try Self.services(store)
                let ids = [try await Self.signUp(services, one), try await Self.signUp(services, other)]
                #expect(try await Self.signIn(services, one) == ids[0])
                #expect(try await Self.signIn(services, other) == ids[1])
                #expect(try await Self.twins(store).isEmpty)
            }
        }
    }

    @Test(arguments: storesUnderTest)
    func addressesThatLookLikeAnotherMakeNoAccount(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, _ in
            let services = try Self.services(store)
            _ = try await Self.signUp(services, "kate@example.com")
            for twin in [
                "\u{212A}ate@example.com", "kate\u{200B}@example.com", "ka\u{AD}te@example.com",
                "kate@example\u{3002}com", "kate@example\u{FF0E}com", "kate@example\u{FF61}com",
                "kate@exa\u{202E}mple.com", "\u{FF4B}ate@example.com", "kate@\u{FF45}xample.com",
                "kate@example.com\u{0}", "kate@b\u{FC}cher.example", "kate@bu\u{308}cher.example",
            ] {
                let error = await #expect(throws: KeybearerError.self) { _ = try await Self.signUp(services, twin) }
                #expect(error?.code == .validationFailed)
                #expect(error?.fields["email"]?.contains("U+") == true)
            }
            #expect(try await services.accounts.list(page: 1, limit: 10).total == 1)
        }
    }

    @Test(arguments: storesUnderTest)
    func accountsOfEarlierVersionsKeepWorking(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let services = try Self.services(store)
            _ = try await Self.signUp(services, "first@example.com")
            // What was typed at sign-up then, and what today names the same account.
            for (typed, others) in [
                ("E\u{301}va@example.com", ["\u{E9}va@example.com", "\u{C9}VA@example.com"]),
                ("ada@b\u{FC}cher.example", ["ada@bu\u{308}cher.example", "ada@xn--bcher-kva.example"]),
                ("kate\u{200B}@example.com", ["Kate\u{200B}@Example.com"]), ("a_b@c_d.example", ["A_B@c_d.example"]),
                ("a..b@example.com", []), ("ada@example\u{3002}com", []),
            ] {
                let id = try await Self.old(services, store, samples, typed)
                for spelling in [typed] + others {
                    #expect(try await Self.signIn(services, spelling) == id, "\(spelling)")
                    #expect(try await services.accounts.find(spelling).user.id == id)
                    await #expect(throws: KeybearerError.self) { _ = try await Self.signUp(services, spelling) }
                }
                // Confirming and changing the password look for the account, not for what its address would be today.
                let (signedIn, _) = try await services.signIn.withPassword(
                    email: typed, password: Self.password, from: Samples.address, userAgent: "Browser/1.0")
                _ = try await services.signIn.confirm(
                    signedIn, password: Self.password, from: Samples.address, userAgent: "Browser/1.0")
            }
            #expect(try await services.accounts.list(page: 1, limit: 10).page.count == 7)
            #expect(try await Self.twins(store).isEmpty)
        }
    }

    @Test(arguments: storesUnderTest)
    func twinsOfEarlierVersionsAreNamed(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            var expected: Set<Set<UserID>> = []
            for twins in [
                ["\u{E9}va@b.c", "e\u{301}va@b.c"], ["kate@b.c", "kate\u{200B}@b.c", "kate@b\u{3002}c"],
                ["ada@b\u{FC}cher.example", "ada@xn--bcher-kva.example"], ["alone@b.c"], ["\u{E8}va@b.c"],
            ] {
                var ids: Set<UserID> = []
                for email in twins {
                    ids.insert(try await store.add(samples.newAccount(email: email), samples).user.id)
                }
                if ids.count > 1 { expected.insert(ids) }
            }
            for pageSize in [1, 3, 1_000] {
                #expect(Set(try await Self.twins(store, pageSize: pageSize).map(Set.init)) == expected)
            }
        }
    }

    @Test(arguments: storesUnderTest)
    func spellingsOfOneAddressAreThrottledTogetherAndMalformedOnesByNetwork(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let services = try Self.services(store, clocks: TestClock().clocks)
            let wrong = Password("a wrong password")
            func refusal(_ email: String, _ network: UInt32) async -> ErrorCode? {
                await #expect(throws: KeybearerError.self) {
                    _ = try await services.signIn.withPassword(
                        email: email, password: wrong, from: IPAddress(v4: network), userAgent: "Browser/1.0")
                }?.code
            }
            _ = try await Self.signUp(services, "\u{E9}va@example.com")
            let spellings = ["\u{E9}va@example.com", "e\u{301}va@example.com", "\u{C9}va@example.com"]
            for attempt in 0..<5 {
                #expect(await refusal(spellings[attempt % 3], UInt32(attempt)) == .unauthorized)
            }
            for spelling in spellings { #expect(await refusal(spelling, 99) == .rateLimited) }
            // The address of an account of an earlier version, and what its domain is today.
            _ = try await Self.old(services, store, samples, "ada@b\u{FC}cher.example")
            let domains = ["ada@b\u{FC}cher.example", "ada@xn--bcher-kva.example", "Ada@bu\u{308}cher.example"]
            for attempt in 0..<5 {
                #expect(await refusal(domains[attempt % 3], UInt32(attempt)) == .unauthorized)
            }
            for domain in domains { #expect(await refusal(domain, 99) == .rateLimited) }
            // Twenty that no account can have, and then nothing from there.
            for _ in 0..<20 { #expect(await refusal("no address", 100) == .unauthorized) }
            #expect(await refusal("no address", 100) == .rateLimited)
            #expect(await refusal("new@example.com", 100) == .rateLimited)
            #expect(await refusal("no address", 101) == .unauthorized)
        }
    }

    /// Each pair is one address of today, which earlier versions took for two.
    private static let twins = [
        ["\u{E9}va@b.c", "e\u{301}va@b.c"], ["ada@b\u{FC}cher.example", "ada@xn--bcher-kva.example"],
    ]

    @Test(arguments: storesUnderTest, twins.flatMap { [$0, $0.reversed()] })
    func eachTwinSignsInAndFreesNoOther(_ subject: StoreUnderTest, twins: [String]) async throws {
        try await subject.run { store, samples in
            let services = try Self.services(store, clocks: TestClock().clocks)
            _ = try await Self.signUp(services, "first@example.com")
            for twin in twins {
                let id = try await Self.old(services, store, samples, twin)
                #expect(try await Self.signIn(services, twin) == id)
            }
            for _ in 0..<4 {
                await expect(.unauthorized) { _ = try await Self.signIn(services, twins[1], Password("a wrong one")) }
                _ = try await Self.signIn(services, twins[0])
            }
            await expect(.unauthorized) { _ = try await Self.signIn(services, twins[1], Password("a wrong one")) }
            await expect(.rateLimited) { _ = try await Self.signIn(services, twins[1], Password("a wrong one")) }
            await expect(.rateLimited) { _ = try await Self.signIn(services, twins[0]) }
        }
    }

    @Test(arguments: storesUnderTest)
    func signUpsThatFailAreThrottledByNetwork(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let services = try Self.services(store, clocks: TestClock().clocks)
            func signUp(_ email: String, _ network: UInt32) async throws {
                _ = try await services.signIn.signUp(
                    name: "Ada", email: email, password: Self.password, from: IPAddress(v4: network),
                    userAgent: "Test/1.0")
            }
            // Those that succeed, and forms that cost no hash, do not count.
            for number in 0..<25 { try await signUp("\(number)@example.com", 1) }
            for _ in 0..<25 { await expect(.validationFailed) { try await signUp("no address", 1) } }
            for _ in 0..<20 { await expect(.conflict) { try await signUp("1@example.com", 1) } }
            await expect(.rateLimited) { try await signUp("1@example.com", 1) }
            await expect(.conflict) { try await signUp("1@example.com", 2) }
        }
    }

    @Test(arguments: storesUnderTest)
    func aHasherThatIsFullLocksNobodyOut(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, _ in
            let services = try Self.services(store, clocks: TestClock().clocks)
            let id = try await Self.signUp(services, "ada@example.com")
            let hasher = services.signIn.hasher
            let held = DispatchSemaphore(value: 0)
            await withTaskGroup(of: Void.self) { group in
                for _ in 0..<PasswordHasher.queueLimit {
                    group.addTask { try? await hasher.onLane { held.wait() } }
                }
                while !hasher.isFull { await Task.yield() }
                for _ in 0..<70 {
                    await expect(.unavailable) {
                        _ = try await Self.signIn(services, "ada@example.com", Password("wrong"))
                    }
                }
                for _ in 0..<PasswordHasher.queueLimit { held.signal() }
            }
            #expect(try await Self.signIn(services, "ada@example.com") == id)
        }
    }
}
