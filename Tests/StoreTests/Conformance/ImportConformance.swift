import Foundation
import KeybearerSQL
import Logging
import Synchronization
import TestSupport
import Testing

@testable import Keybearer

/// Imported keys over every engine: their number in the change log, what is refused in the transaction, and what a
/// regenerate and a deletion leave of them, and which ``NodeVersion`` keeps them out.
@Suite struct ImportConformance {
    private func prefixes(_ accounts: NewAccount...) throws -> [DigestPrefix] {
        try accounts.map { try #require(DigestPrefix($0.sealedKey.digest)) }
    }

    @Test(arguments: storesUnderTest)
    func anImportIsOneChangeOfUpToAHundredKeys(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples in
            try await first.recordMasterKey(MasterKeyID(rawValue: "mk_one"))
            let before = try await first.newestPosition(samples)
            let news = (0..<100).map { _ in samples.imported() }
            let plain = samples.newAccount()
            let (results, position) = await applied(
                try await first.perform(
                    news.prefix(99).map { samples.create($0) } + [samples.create(plain)], by: .commandLine))
            #expect(results.allSatisfy { $0.code == nil })
            #expect(position.number == before.number + 1)
            let changes = try #require(try await second.changes(after: before, limit: 10))
            let expected = try news.prefix(99).map { try #require(DigestPrefix($0.sealedKey.digest)) }
            #expect(changes == [Change(position: position, subject: .importedKeys(expected))])
            let (_, last) = await applied(try await second.perform([samples.create(news[99])], by: .commandLine))
            #expect(last.number == before.number + 2)
            let known = try await first.importedKeyPrefixes()
            #expect(known.count == 100)
            #expect(try Set(known) == Set(news.map { try #require(DigestPrefix($0.sealedKey.digest)) }))
            // Beside other changes of the transaction, it comes last.
            let mixed = samples.imported()
            let (_, end) = await applied(
                try await first.perform(
                    [
                        samples.create(mixed), samples.rename(plain.user.id, "Eve"),
                        samples.create(samples.newAccount()),
                    ], by: .commandLine))
            let subjects = try await second.changes(after: last, limit: 10)?.map(\.subject)
            #expect(try subjects == [.user(plain.user.id), .importedKeys(prefixes(mixed))])
            #expect(end.number == last.number + 2)
        }
    }

    @Test(arguments: storesUnderTest)
    func whatLivesOrLivedHereIsNotImportedAgain(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples in
            for id in ["mk_one", "mk_two"] { try await first.recordMasterKey(MasterKeyID(rawValue: id)) }
            func made(_ digest: [UInt8]) -> NewAccount {
                samples.imported(digest: digest, others: [("mk_two", samples.random.bytes(32))])
            }
            let digest = samples.random.bytes(32)
            let new = made(digest)
            _ = try await first.perform([samples.create(new)], by: .commandLine)
            func isRefused(_ again: NewAccount) async throws {
                let before = try await first.newestPosition(samples)
                await expect(.conflict) { _ = try await second.perform([samples.create(again)], by: .commandLine) }
                let (results, position) = await applied(
                    try await second.perform([samples.create(again), samples.create(again)], by: .commandLine))
                #expect(results.map(\.code) == [.conflict, .conflict] && position == before)
                #expect(try await second.account(id: again.user.id) == nil)
            }
            let elsewhere = samples.imported(
                digest: samples.random.bytes(32), under: "mk_two", others: [("mk_one", digest)])
            try await isRefused(made(digest))
            try await isRefused(elsewhere)
            // A key that was made here is none that can be imported, either.
            let plain = try await first.addAccount(samples)
            let live = try #require(try await first.sealedKey(of: plain.user.id))
            try await isRefused(made(live.digest))
            // Regenerated: the digest is among those that lived here, and no imported key is left.
            let account = try #require(try await first.account(id: new.user.id))
            _ = try await first.replaceKey(samples.replacement(of: account), audit: samples.event(.keyRegenerated))
            #expect(try await second.importedKeyPrefixes().isEmpty)
            try await isRefused(made(digest))
            try await isRefused(elsewhere)
            // Deleted, the same.
            let other = made(samples.random.bytes(32))
            _ = try await first.perform([samples.create(other)], by: .commandLine)
            _ = try await first.deleteAccount(other.user.id, audit: samples.event(.userDeleted))
            #expect(try await second.importedKeyPrefixes().isEmpty)
            try await isRefused(made(other.sealedKey.digest))
            // Twice in one transaction.
            let twin = samples.random.bytes(32)
            let (results, _) = await applied(
                try await first.perform(
                    [samples.create(made(twin)), samples.create(made(twin))], by: .commandLine))
            #expect(results.map(\.code) == [nil, .conflict])
            // A process that does not know of the second master key could not tell: it is refused.
            await expect(.unavailable) {
                _ = try await second.perform([samples.create(samples.imported())], by: .commandLine)
            }
        }
    }

    @Test(arguments: storesUnderTest)
    func ofTwoThatImportOneTokenOneSucceeds(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples in
            for id in ["mk_one", "mk_two"] { try await first.recordMasterKey(MasterKeyID(rawValue: id)) }
            for _ in 0..<6 {
                let digests = (0..<4).map { _ in samples.random.bytes(32) }
                func made(_ own: Int, _ other: Int, under id: String) -> NewAccount {
                    let others = [(id == "mk_one" ? "mk_two" : "mk_one", digests[other])]
                    return samples.imported(digest: digests[own], under: id, others: others)
                }
                // Under one master key, and during a rotation under two.
                let pairs = [
                    (made(0, 1, under: "mk_one"), made(0, 1, under: "mk_one")),
                    (made(2, 3, under: "mk_one"), made(3, 2, under: "mk_two")),
                ]
                for (one, two) in pairs {
                    let (writes, others) = ([samples.create(one)], [samples.create(two)])
                    let results = await raced(
                        { await applied(try await first.perform(writes, by: .commandLine)).position },
                        { await applied(try await second.perform(others, by: .commandLine)).position })
                    #expect(results.count { $0.code == nil } == 1, "\(results)")
                    #expect(results.contains { $0.code == .conflict })
                }
            }
        }
    }

    @Test(arguments: storesUnderTest)
    func anOlderNodeKeepsImportsOut(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples in
            for version in ["", "0.1.9", "0.2"] {
                let node = NodeID.random(from: samples.random)
                _ = try await first.registerNode(node, label: "old one", version: version, lease: .seconds(2))
                do {
                    _ = try await second.perform([samples.create(samples.imported())], by: .commandLine)
                    Issue.record("'\(version)' keeps nothing out")
                } catch let error as KeybearerError {
                    #expect(error.code == .conflict && error.message.contains("old one"))
                }
                #expect(try await second.importedKeyPrefixes().isEmpty)
                _ = try await second.perform([samples.create(samples.newAccount())], by: .commandLine)
                try await first.unregisterNode(node)
            }
            for version in [KeybearerVersion.current, "0.2.1", "0.10.0", "1.0.0-beta.1"] {
                let node = NodeID.random(from: samples.random)
                _ = try await first.registerNode(node, label: "", version: version, lease: .seconds(2))
                _ = try await second.perform([samples.create(samples.imported())], by: .commandLine)
                try await first.unregisterNode(node)
            }
        }
    }

    @Test(arguments: storesUnderTest)
    func morePrefixesThanAPageAreRead(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            try await store.recordMasterKey(MasterKeyID(rawValue: "mk_one"))
            // The smallest and the largest digests are not missed either.
            let ends = [[UInt8](repeating: 0, count: 32), [UInt8](repeating: 255, count: 32)]
            _ = try await store.perform(ends.map { samples.create(samples.imported(digest: $0)) }, by: .commandLine)
            let sqlStore = try #require(store as? SQLStore)
            let account = samples.newAccount()
            let users = try #require(CopiedTable.all.first { $0.name == "users" })
            let keys = try #require(CopiedTable.all.first { $0.name == "api_keys" })
            try sqlStore.engine.withCopyWriter { connection in
                for part in 0..<11 {
                    let numbers = (part * 1_000)..<(part * 1_000 + 1_000)
                    try connection.insertMany(
                        numbers.map { number in
                            let values: [SQLValue] = [
                                .text("usr_many\(number)"), .text("many\(number)@example.com"), .text("Many"),
                                .text("active"), .flag(false), .text(""), .number(1), .time(account.user.createdAt),
                                .null, .flag(false), .number(1), .time(account.user.createdAt),
                            ]
                            // What later steps added may be left out, or is off.
                            return values
                                + users.columns.dropFirst(values.count).map { $0.kind == .flag ? .flag(false) : .null }
                        }, into: users)
                    try connection.insertMany(
                        numbers.map { number in
                            [
                                .text("usr_many\(number)"), .text("key_many\(number)"), .number(1), .text("many"),
                                .bytes(samples.random.bytes(32)), .text("mk_one"), .bytes([1]), .number(0), .null,
                                .null, .flag(number % 11 != 0),
                            ]
                        }, into: keys)
                }
            }
            let found = try await store.importedKeyPrefixes()
            #expect(found.count == 10_002 && Set(found).count == 10_002)
            #expect(found.contains(DigestPrefix(0)) && found.contains(DigestPrefix(.max)))
        }
    }
}

/// Nodes over one database: an import, a regenerate, a rotation and a restart.
@Suite(.serialized) struct ImportingNodesConformance {
    private func token(_ text: String) throws -> PresentedToken {
        try #require(Array(text.utf8).withUnsafeBufferPointer(PresentedToken.init))
    }

    private func isAdmitted(_ text: String, at services: Services) async throws -> Bool {
        let node = try #require(services.node)
        let verdict = await node.verifier.verdict(
            for: try token(text), scope: .accountOnly, from: Samples.address, isThrottled: false)
        switch verdict {
        case .admitted: return true
        case .unauthorized: return false
        default:
            Issue.record("\(verdict)")
            return false
        }
    }

    @Test(arguments: storesUnderTest)
    func anImportHoldsOnEveryNodeWhenItsResponseArrives(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples in
            let file = CurrentVault(KeyVault(ring: try .generate(from: .system)))
            func services(_ store: any Store, _ role: Services.Role = .server) -> Services {
                var settings = Services.Settings()
                settings.lease = .seconds(8)
                return Services(
                    store: store, ring: file.current.ring, loadRing: { file.current.ring }, settings: settings,
                    role: role, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
            }
            let all = [services(first), services(second)]
            let nodes = try all.map { try #require($0.node) }
            for node in nodes { await node.fence.step() }
            let running = nodes.map { node in Task { await node.run() } }
            var texts: [String] = []
            for number in 0..<12 {
                let tail = number.isMultiple(of: 3) ? String(repeating: "0123456789", count: 8) : "0123456789"
                let text = "acme-live-ABCDEFGH-\(number)-\(tail)"
                let (here, there) = (all[number % 2], all[1 - number % 2])
                #expect(try await !isAdmitted(text, at: there))
                var input = UserInput()
                (input.email, input.name) = ("ada\(number)@example.com", "Ada")
                input.keyToImport = KeyToImport(text)
                let account = try await here.writes.create(input, by: .commandLine)
                #expect(try await isAdmitted(text, at: there), "\(number)")
                if number == 0 {
                    _ = try await here.keys.regenerate(account.user.id, idempotencyKey: nil, by: .commandLine)
                    #expect(try await !isAdmitted(text, at: there))
                } else {
                    texts.append(text)
                }
            }
            let command = services(first, .command)
            for _ in 0..<2 {
                _ = try await command.masterKeys.rotate(
                    save: { file.replace(with: KeyVault(ring: $0)) }, progress: { _ in })
                for (place, text) in texts.enumerated() { #expect(try await isAdmitted(text, at: all[place % 2])) }
            }
            let restarted = services(second)
            await restarted.node?.fence.step()
            for text in texts { #expect(try await isAdmitted(text, at: restarted)) }
            for task in running { task.cancel() }
            for task in running { await task.value }
            for node in nodes { await node.stop() }
            await restarted.node?.stop()
        }
    }
}

/// A node that loses its lease and registers again, over one database with another process that imports.
@Suite struct RegisteringAgainConformance {
    @Test(arguments: storesUnderTest)
    func theSetOfImportedKeysIsNotReadAgain(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples in
            try await first.recordMasterKey(MasterKeyID(rawValue: "mk_one"))
            let clock = TestClock()
            let reads = Lock(0)
            let keys = ImportedKeys {
                reads.withLock { $0 += 1 }
                return try await first.importedKeyPrefixes()
            }
            let fence = RevocationFence(
                store: first, cache: KeyCache(capacity: 10, rejectedCapacity: 10, random: samples.random),
                importedKeys: keys, clocks: clock.clocks, random: samples.random, lease: .seconds(2),
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, onEverything: {})
            var known: [DigestPrefix] = []
            func importSome(_ count: Int) async throws {
                let news = (0..<count).map { _ in samples.imported() }
                let plain = samples.newAccount()
                _ = await applied(
                    try await second.perform(
                        news.map { samples.create($0) } + [samples.create(plain)], by: .commandLine))
                _ = try await second.setStatus(.disabled, of: plain.user.id, audit: samples.event(.userDisabled))
                known += try news.map { try #require(DigestPrefix($0.sealedKey.digest)) }
            }
            try await importSome(3)
            await fence.step()
            for _ in 1...3 {
                #expect(fence.holdsLease(at: clock.clocks.steady()))
                #expect(known.allSatisfy { keys.contains(anyOf: [$0]) } && reads.withLock { $0 } == 1)
                clock.advance(by: .seconds(3))
                try await importSome(7)
                #expect(!fence.holdsLease(at: clock.clocks.steady()))
                await fence.step()
            }
            await fence.stop()
        }
    }
}

extension Samples {
    /// A new account with a key that was made elsewhere.
    ///
    /// - Parameter others: the digests of the token under other master keys.
    func imported(
        digest: [UInt8]? = nil, under id: String = "mk_one", others: [(String, [UInt8])] = []
    ) -> NewAccount {
        let plain = newAccount()
        let sealed = SealedKey(
            masterKeyID: MasterKeyID(rawValue: id), box: random.bytes(70), digest: digest ?? random.bytes(32))
        let known = others.map { KeyDigest(masterKeyID: MasterKeyID(rawValue: $0.0), digest: $0.1) }
        return NewAccount(
            user: plain.user, passwordHash: "", key: plain.key, sealedKey: sealed, workspaceID: plain.workspaceID,
            workspaceName: plain.workspaceName,
            importedDigests: known + [KeyDigest(masterKeyID: sealed.masterKeyID, digest: sealed.digest)])
    }
}
