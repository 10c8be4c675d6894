import Foundation
import KeybearerSQL
import Logging
import TestSupport
import Testing

@testable import Keybearer

/// The ring of master keys over a store: the check by the ``RingService``, what is written down, and rotation.
@Suite(.serialized) struct MasterKeyConformance {
    /// A process: its ring stands for the file with the master keys.
    private struct Process {
        let services: Services
        let file: CurrentVault

        init(_ store: any Store, _ ring: MasterKeyRing, role: Services.Role = .command) {
            let file = CurrentVault(KeyVault(ring: ring))
            var settings = Services.Settings()
            settings.passwordCost = 10
            settings.lease = .milliseconds(500)
            services = Services(
                store: store, ring: ring, loadRing: { file.current.ring }, settings: settings, role: role,
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
            self.file = file
        }

        func create(_ email: String) async throws -> (Account, SecretKey) {
            let account = try await services.accounts.create(
                name: "Ada", email: email, password: password, by: .commandLine)
            return (account, try await services.keys.reveal(account.user.id, by: .commandLine))
        }

        let password = Password("long enough secret")

        func signIn(_ email: String) async throws -> SessionToken {
            try await services.signIn.withPassword(
                email: email, password: password, from: Samples.address, userAgent: "Browser"
            ).token
        }

        func rotate(reached: (MasterKeyService.Step) throws -> Void = { _ in }) async throws -> MasterKeyRing {
            try await services.masterKeys.rotate(
                save: { file.replace(with: KeyVault(ring: $0)) }, progress: { _ in }, reached: reached)
        }
    }

    private struct Interrupted: Error {}

    private func expectRefusal(
        _ ids: MasterKeyID?..., sourceLocation: SourceLocation = #_sourceLocation, _ body: () async throws -> Void
    ) async {
        do {
            try await body()
            Issue.record("nothing was thrown", sourceLocation: sourceLocation)
        } catch let refusal as RingRefusal {
            #expect(
                Set(refusal.problems.flatMap(\.wanted)) == Set(ids.compactMap(\.self)), sourceLocation: sourceLocation)
        } catch {
            Issue.record("\(error)", sourceLocation: sourceLocation)
        }
    }

    /// As version 0.1 left a database: ids alone.
    private func removeFingerprints(_ store: any Store) async throws {
        let sqlStore = try #require(store as? SQLStore)
        let records = try await store.masterKeys()
        try sqlStore.engine.withCopyWriter { writer in
            let table = try #require(CopiedTable.all.first { $0.name == "master_keys" })
            try writer.execute(table.clear)
            let live = Set(records.filter { $0.seals }.map(\.id))
            try writer.insertMany(
                records.map {
                    [
                        .id($0.id), .flag($0.isRetired), .flag(live.contains($0.id)), .flag(live.contains($0.id)),
                        .null, .null,
                    ]
                }, into: table)
        }
    }

    @Test(arguments: storesUnderTest)
    func ofSeveralThatClaimANewDatabaseOneSucceeds(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples in
            let rings = try (0..<6).map { _ in try MasterKeyRing.generate(from: .system) }
            let refusals = await withTaskGroup(of: (MasterKeyID?, [MasterKeyID])?.self) { group in
                for (number, ring) in rings.enumerated() {
                    let process = Process(number.isMultiple(of: 2) ? first : second, ring)
                    group.addTask {
                        do {
                            try await process.services.ring.require(.claim)
                            return nil
                        } catch {
                            return (ring.activeID, (error as? RingRefusal)?.problems.flatMap(\.wanted) ?? [])
                        }
                    }
                }
                var refusals: [(loser: MasterKeyID?, wanted: [MasterKeyID])] = []
                for await refusal in group { if let refusal { refusals.append(refusal) } }
                return refusals
            }
            let records = try await first.masterKeys()
            #expect(records.count == 1 && refusals.count == rings.count - 1)
            let winner = try #require(rings.first { $0.activeID == records.first?.id })
            #expect(refusals.allSatisfy { $0.loser != winner.activeID && $0.wanted == [records[0].id] })
            try await Process(second, winner).services.ring.require(.refuse)
            #expect(records[0].tagFingerprint?.count == 16 && records[0].digestFingerprint?.count == 16)
        }
    }

    @Test(arguments: storesUnderTest)
    func aForeignRingIsRefusedAndChangesNothing(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let ring = try MasterKeyRing.generate(from: .system)
            let own = Process(store, ring)
            await expectRefusal { try await own.services.ring.require(.refuse) }
            try await own.services.ring.require(.allow)
            let (account, key) = try await own.create("ada@example.com")
            try await own.services.ring.require(.refuse)
            let foreign = Process(store, try MasterKeyRing.generate(from: .system))
            for newDatabase in [RingService.NewDatabase.refuse, .allow, .claim] {
                await expectRefusal(ring.activeID) { try await foreign.services.ring.require(newDatabase) }
            }
            // One that did not ask is refused where it would commit.
            await expect(.unavailable) {
                _ = try await foreign.services.keys.regenerate(
                    account.user.id, idempotencyKey: nil, by: .commandLine)
            }
            await expect(.unavailable) { _ = try await foreign.create("eve@example.com") }
            await expect(.unavailable) {
                _ = try await foreign.services.operatorTokens.create(
                    name: "CI", scopes: [.introspect], by: .commandLine)
            }
            await expect(.unavailable) { _ = try await foreign.signIn("ada@example.com") }
            #expect(try await own.services.keys.reveal(account.user.id, by: .commandLine) == key)
            let verifying = Process(store, try KeyVault(ring: ring).verifyOnlyRing())
            try await verifying.services.ring.require(.refuse)
            _ = try await verifying.signIn("ada@example.com")
        }
    }

    @Test(arguments: storesUnderTest)
    func theFirstThatOpensEveryKeyNotesWhatVersion01DidNot(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let first = try MasterKeyRing.generate(from: .system)
            let process = Process(store, first)
            _ = try await process.create("ada@example.com")
            let ring = try await process.rotate()
            _ = try await process.create("bob@example.com")
            let recorded = try await store.masterKeys()
            try await removeFingerprints(store)
            // One that only verifies goes on and notes nothing.
            try await Process(store, try KeyVault(ring: ring).verifyOnlyRing()).services.ring.require(.refuse)
            #expect(try await store.masterKeys().allSatisfy { $0.tagFingerprint == nil })
            // Of a ring with the right ids and a wrong secret, or without the tag, the ids are named.
            let wrong = try MasterKeyRing(
                entries: ring.entries.map { entry in
                    entry.id == ring.activeID
                        ? .init(id: entry.id, material: .master(RandomSource.system.bytes(32))) : entry
                }, activeID: ring.activeID)
            await expectRefusal(ring.activeID) { try await Process(store, wrong).services.ring.require(.refuse) }
            let tagless = try MasterKeyRing(
                entries: ring.entries.filter { $0.id == ring.activeID }, activeID: ring.activeID)
            await expectRefusal(first.activeID) {
                try await Process(store, tagless).services.ring.require(.refuse)
            }
            #expect(try await store.masterKeys().allSatisfy { $0.tagFingerprint == nil })
            try await Process(store, ring).services.ring.require(.refuse)
            let again = try await store.masterKeys()
            // A retired master key that is needed for its tag alone seals nothing: its line has no digest subkey.
            #expect(again.map(\.id) == recorded.map(\.id))
            #expect(again.map(\.seals) == recorded.map(\.seals) && again.map(\.tags) == recorded.map(\.tags))
            #expect(again.map(\.tagFingerprint) == recorded.map(\.tagFingerprint))
        }
    }

    @Test(arguments: storesUnderTest)
    func sessionsAndTokensOutliveARotation(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let first = try MasterKeyRing.generate(from: .system)
            let process = Process(store, first)
            let old = try #require(first.activeID)
            let (account, _) = try await process.create("ada@example.com")
            let session = try await process.signIn("ada@example.com")
            let (token, secret) = try await process.services.operatorTokens.create(
                name: "CI", scopes: [.introspect], by: .commandLine)
            func isTagInUse() async throws -> Bool {
                try await store.masterKeys().contains { $0.id == old && $0.tags }
            }
            var ring = try await process.rotate()
            #expect(ring.entries.contains { $0.id == old })
            let sealing = try await store.masterKeys().filter(\.seals).map(\.id)
            #expect(sealing == [ring.activeID])
            // Nobody's key carries the tag any more: session and token still do.
            _ = try await process.services.keys.regenerate(account.user.id, idempotencyKey: nil, by: .commandLine)
            ring = try await process.rotate()
            #expect(try await process.services.sessions.find(session) != nil)
            #expect(try await process.services.operatorTokens.authenticate(secret, from: .localSocket).id == token.id)
            let found = try #require(try await process.services.sessions.find(session))
            try await process.services.sessions.end(found.session.id, of: account.user.id, by: .commandLine)
            ring = try await process.rotate()
            #expect(try await isTagInUse(), "the operator token carries it")
            #expect(try await process.services.operatorTokens.authenticate(secret, from: .localSocket).id == token.id)
            try await process.services.operatorTokens.revoke(token.id, by: .commandLine)
            ring = try await process.rotate()
            #expect(try await !isTagInUse())
            #expect(!ring.entries.contains { $0.id == old })
            // A process that did not hear of it keeps no token that nobody would recognise.
            await expect(.unavailable) { _ = try await Process(store, first).signIn("ada@example.com") }
        }
    }

    @Test(arguments: storesUnderTest)
    func aSessionThatIsOverHoldsNoTag(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let first = try MasterKeyRing.generate(from: .system)
            let process = Process(store, first)
            let (account, _) = try await process.create("ada@example.com")
            _ = try await process.signIn("ada@example.com")
            let ended = try #require(try await process.services.sessions.list(of: account.user.id).first)
            let writer = try #require(store as? SQLStore)
            try writer.engine.withCopyWriter { connection in
                let table = try #require(CopiedTable.all.first { $0.name == "sessions" })
                try connection.execute(table.clear)
                try connection.insertMany(
                    [
                        [
                            .id(ended.id), .id(ended.userID), .bytes(samples.random.bytes(32)),
                            .text(try #require(first.activeID).rawValue), .number(1_000), .number(1_000),
                            .number(1_000), .text("192.0.2.7"), .text("Browser"), .null, .null, .null, .null,
                        ]
                    ], into: table)
            }
            _ = try await process.services.keys.regenerate(account.user.id, idempotencyKey: nil, by: .commandLine)
            _ = try await process.rotate()
            _ = try await process.services.keys.regenerate(account.user.id, idempotencyKey: nil, by: .commandLine)
            let ring = try await process.rotate()
            #expect(!ring.entries.contains { $0.id == first.activeID })
        }
    }

    @Test(arguments: storesUnderTest)
    func aRotationThatWasInterruptedAnywhereIsRunAgain(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            var process = Process(store, try MasterKeyRing.generate(from: .system))
            let (account, key) = try await process.create("ada@example.com")
            _ = try await process.create("bob@example.com")
            let session = try await process.signIn("ada@example.com")
            for step in MasterKeyService.Step.allCases {
                await #expect(throws: Interrupted.self) {
                    _ = try await process.rotate { if $0 == step { throw Interrupted() } }
                }
                // What starts now reads the file that is there: it fits, opens every key, and can be rotated.
                process = Process(store, process.file.current.ring)
                try await process.services.ring.require(.refuse)
                let revealed = try await process.services.keys.reveal(account.user.id, by: .commandLine)
                #expect(revealed == key, "\(step)")
                #expect(try await process.services.sessions.find(session) != nil, "\(step)")
                let ring = try await process.rotate()
                process = Process(store, ring)
                try await process.services.ring.require(.refuse)
                #expect(try await process.services.masterKeys.unopenableKeys().isEmpty)
                #expect(try await store.masterKeys().filter(\.seals).map(\.id) == [ring.activeID], "\(step)")
                let needed = Set(try await store.masterKeys().filter(\.isInUse).map(\.id))
                #expect(Set(ring.entries.map(\.id)) == needed, "\(step): nothing is left over")
            }
        }
    }

    @Test(arguments: storesUnderTest)
    func aServerThatLacksAMasterKeyStopsDecidingUntilItHasIt(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples in
            let ring = try MasterKeyRing.generate(from: .system)
            let other = Process(first, ring)
            let (account, key) = try await other.create("ada@example.com")
            _ = try await other.services.workspaces.setPlan(
                PlanID(rawValue: "pro"), of: account.workspaces[0].workspace.id, by: .commandLine)
            let server = Process(second, ring, role: .server)
            let node = try #require(server.services.node)
            await node.fence.step()
            func verdict(_ key: SecretKey) async -> Verdict {
                await node.verifier.verdict(for: key.token, scope: .anyWorkspace, from: Samples.address)
            }
            guard case .admitted = await verdict(key) else { Issue.record("a good key"); return }
            let session = try await other.signIn("ada@example.com")
            // The server's file stays as it was. The rotation waits for its lease, no longer.
            let running = Task { await node.fence.run() }
            let rotated = try await other.rotate()
            let (_, new) = try await other.create("bob@example.com")
            #expect(node.fence.lacksMasterKeys)
            #expect(!node.fence.holdsLease(at: Clocks.system.steady()))
            for key in [key, new] {
                guard case .unavailable = await verdict(key) else { Issue.record("never refused"); return }
            }
            let later = try await other.signIn("ada@example.com")
            await expect(.unavailable) { _ = try await server.services.sessions.find(later) }
            #expect(!server.services.sessions.isForged(later))
            // The new file arrives.
            server.file.replace(with: KeyVault(ring: rotated))
            let deadline = ContinuousClock.now + .seconds(30)
            while node.fence.lacksMasterKeys || !node.fence.holdsLease(at: Clocks.system.steady()) {
                guard ContinuousClock.now < deadline else { Issue.record("it did not come back"); break }
                try await Task.sleep(for: .milliseconds(5))
            }
            guard case .admitted = await verdict(key) else { Issue.record("a good key"); return }
            guard case .featureLocked = await verdict(new) else { Issue.record("a new key"); return }
            #expect(try await server.services.sessions.find(later) != nil)
            #expect(try await server.services.sessions.find(session) != nil)
            running.cancel()
            await running.value
            await node.stop()
        }
    }
}
