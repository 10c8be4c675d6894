import Keybearer
import TestSupport
import Testing

/// ``KnownDevices`` on every engine: a new device is mentioned once, in the transaction of the sign-in or of the reveal.
@Suite struct KnownDeviceConformance {
    private static func signIn(
        _ account: Account, on device: [UInt8]?, _ store: any Store, _ samples: Samples
    ) async throws {
        try await store.startSession(
            samples.session(of: account.user.id), tokenDigest: samples.random.bytes(32), replacing: nil,
            audit: MailConformance.event(.sessionStarted, account, samples, device: device))
    }

    private static func reveal(
        _ account: Account, on device: [UInt8]?, _ store: any Store, _ samples: Samples
    ) async throws {
        try await store.recordReveal(
            of: account.user.id, audit: MailConformance.event(.keyRevealed, account, samples, device: device))
    }

    @Test(arguments: storesUnderTest)
    func aNewDeviceIsToldOfOnce(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let account = try await store.addAccount(samples)
            try await MailConformance.confirm(account, store, samples)
            func kinds() async throws -> [MailKind] {
                try await store.mails(limit: 100).map(\.kind).sorted { $0.rawValue < $1.rawValue }
            }
            let (one, two) = (samples.random.bytes(32), samples.random.bytes(32))
            try await Self.signIn(account, on: one, store, samples)
            try await Self.signIn(account, on: one, store, samples)
            try await Self.signIn(account, on: nil, store, samples)
            #expect(try await kinds() == [.newSignIn])
            try await Self.reveal(account, on: one, store, samples)
            try await Self.reveal(account, on: one, store, samples)
            #expect(try await kinds() == [.keyRevealed, .newSignIn])
            // A session that was taken elsewhere.
            try await Self.reveal(account, on: two, store, samples)
            #expect(try await kinds() == [.keyRevealed, .keyRevealed, .newSignIn])
            try await Self.signIn(account, on: two, store, samples)
            #expect(try await kinds() == [.keyRevealed, .keyRevealed, .newSignIn], "it was seen")
            let data = try #require(try await store.personalData(of: account.user.id, now: Clocks.system.wall()))
            #expect(data.devices.count == 2 && data.devices.allSatisfy { $0.revealedAt != nil })
            let other = try await store.addAccount(samples, after: 1)
            try await MailConformance.confirm(other, store, samples)
            try await Self.signIn(other, on: one, store, samples)
            #expect(try await kinds().filter { $0 == .newSignIn }.count == 2, "new to another account")
        }
    }

    @Test(arguments: storesUnderTest)
    func anAccountRemembersTheDevicesThatItSawLast(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let account = try await store.addAccount(samples)
            for _ in 0..<KnownDevice.mostPerAccount + 10 {
                try await Self.signIn(account, on: samples.random.bytes(32), store, samples)
            }
            let now = Clocks.system.wall()
            let data = try #require(try await store.personalData(of: account.user.id, now: now))
            #expect(data.devices.count == KnownDevice.mostPerAccount)
            guard subject.testDescription == "SQLite" else { return }
            try await store.removeOldDevices(now: now.advanced(by: KnownDevice.memory + .seconds(60)))
            #expect(try await store.personalData(of: account.user.id, now: now)?.devices.isEmpty == true)
        }
    }
}
