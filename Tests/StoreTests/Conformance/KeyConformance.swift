import Keybearer
import TestSupport
import Testing

/// The ``KeyStore`` on every engine: each ``APIKey``, its replacement, and last uses (``UsageStore``).
@Suite struct KeyConformance {
    @Test(arguments: storesUnderTest)
    func aKeyIsFoundByAnyOfItsDigestsAndNothingElse(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let new = samples.newAccount()
            let account = try await store.add(new, samples)
            _ = try await store.addAccount(samples)
            let other = samples.random.bytes(32)
            #expect(try await store.account(keyDigests: [other, new.sealedKey.digest]) == account)
            #expect(try await store.account(keyDigests: [other]) == nil)
            #expect(try await store.account(keyDigests: [Array(new.sealedKey.digest.dropLast())]) == nil)
            #expect(try await store.account(keyDigests: []) == nil)
        }
    }

    @Test(arguments: storesUnderTest)
    func replacingLeavesTheNewKeyAlone(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let new = samples.newAccount()
            let account = try await store.add(new, samples)
            try await store.recordLastUses(
                [
                    KeyUse(
                        userID: account.user.id, keyID: account.key.id,
                        use: LastUse(at: samples.at(10), address: Samples.address))
                ], now: Samples.start)
            let replacement = samples.replacement(of: account)
            let outcome = try await store.replaceKey(
                replacement, audit: samples.event(.keyRegenerated, user: account.user.id))
            let position = try await store.newestPosition(samples)
            #expect(outcome == (.replaced, position))
            #expect(try await store.account(keyDigests: [new.sealedKey.digest]) == nil)
            let after = try #require(try await store.account(keyDigests: [replacement.sealed.digest]))
            // Generated, prefix and version are the new key's; last used starts empty.
            #expect(after.key == replacement.key)
            #expect(after.key.lastUse == nil)
            #expect(try await store.sealedKey(of: account.user.id) == replacement.sealed)
            #expect(try await store.storedKeys(after: nil, limit: 10).count == 1)
        }
    }

    @Test(arguments: storesUnderTest)
    func aReplacementOfAnotherVersionChangesNothing(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let account = try await store.addAccount(samples)
            let audit = samples.event(.keyRegenerated, user: account.user.id)
            let skipped = KeyReplacement(
                userID: account.user.id, key: samples.key(version: 3), sealed: samples.sealedKey(),
                request: IdempotentRequest(
                    scope: account.user.id.rawValue, keyDigest: samples.random.bytes(32),
                    requestDigest: Samples.request))
            #expect(try await store.replaceKey(skipped, audit: audit).value == .versionMoved)
            let unknown = KeyReplacement(
                userID: .random(from: samples.random), key: samples.key(version: 2), sealed: samples.sealedKey(),
                request: nil)
            #expect(try await store.replaceKey(unknown, audit: audit).value == .noSuchUser)
            #expect(try await store.account(id: account.user.id)?.key == account.key)
            #expect(try await store.newestPosition(samples).number == 0)
            #expect(try await store.auditEvents(userID: nil, limit: 10).map(\.action) == [.userCreated])
            // What failed is not remembered as done.
            let again = KeyReplacement(
                userID: account.user.id, key: samples.key(version: 2), sealed: samples.sealedKey(),
                request: skipped.request)
            #expect(try await store.replaceKey(again, audit: samples.event(.keyRegenerated)).value == .replaced)
        }
    }

    @Test(arguments: storesUnderTest)
    func aRetryGetsTheFirstReplacement(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { store, second, samples in
            let account = try await store.addAccount(samples)
            let digest = samples.random.bytes(32)
            let first = samples.replacement(of: account, idempotencyDigest: digest)
            let (outcome, position) = try await store.replaceKey(first, audit: samples.event(.keyRegenerated))
            #expect(outcome == .replaced)
            // The retry has a key of its own at hand, made for the version that it read before or after.
            let retry = samples.replacement(of: account, idempotencyDigest: digest)
            let replayed = KeyReplacementOutcome.replayed(first.key, first.sealed)
            // It waits for what is newest, which is its change or behind it.
            let second1 = try await second.replaceKey(retry, audit: samples.event(.keyRegenerated))
            #expect(second1 == (replayed, position))
            let current = try #require(try await store.account(id: account.user.id))
            let later = samples.replacement(of: current, idempotencyDigest: digest)
            #expect(try await second.replaceKey(later, audit: samples.event(.keyRegenerated)) == (replayed, position))
            // The same key with another request is a mistake, and changes nothing.
            let other = KeyReplacement(
                userID: account.user.id, key: later.key, sealed: later.sealed,
                request: IdempotentRequest(
                    scope: account.user.id.rawValue, keyDigest: digest, requestDigest: samples.random.bytes(32)))
            #expect(
                try await second.replaceKey(other, audit: samples.event(.keyRegenerated)).value == .anotherRequest)
            #expect(try await store.account(id: account.user.id)?.key == first.key)
            #expect(try await store.newestPosition(samples) == position)
            #expect(
                try await store.auditEvents(userID: nil, limit: 10).count { $0.action == .keyRegenerated } == 1)
        }
    }

    @Test(arguments: storesUnderTest)
    func aRetryAfterAnotherReplacementIsSuperseded(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let account = try await store.addAccount(samples)
            let digest = samples.random.bytes(32)
            let first = samples.replacement(of: account, idempotencyDigest: digest)
            _ = try await store.replaceKey(first, audit: samples.event(.keyRegenerated))
            let between = try #require(try await store.account(id: account.user.id))
            let next = samples.replacement(of: between, idempotencyDigest: samples.random.bytes(32))
            _ = try await store.replaceKey(next, audit: samples.event(.keyRegenerated))
            #expect(try await store.replaceKey(first, audit: samples.event(.keyRegenerated)).value == .superseded)
            #expect(try await store.account(id: account.user.id)?.key == next.key)
        }
    }

    @Test(arguments: storesUnderTest)
    func anIdempotencyKeyBelongsToItsAccountAndToOneDay(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let account = try await store.addAccount(samples)
            let other = try await store.addAccount(samples)
            let digest = samples.random.bytes(32)
            _ = try await store.replaceKey(
                samples.replacement(of: account, idempotencyDigest: digest), audit: samples.event(.keyRegenerated))
            let otherOutcome = try await store.replaceKey(
                samples.replacement(of: other, idempotencyDigest: digest), audit: samples.event(.keyRegenerated))
            #expect(otherOutcome == (.replaced, try await store.newestPosition(samples)))
            let current = try #require(try await store.account(id: account.user.id))
            let nextDay = samples.replacement(of: current, idempotencyDigest: digest, after: 60 + 24 * 3600 + 1)
            let outcome = try await store.replaceKey(nextDay, audit: samples.event(.keyRegenerated))
            #expect(outcome == (.replaced, try await store.newestPosition(samples)))
            // That was a clock that was a day ahead: set right, it does not keep the idempotency key until then.
            let again = try #require(try await store.account(id: account.user.id))
            let corrected = samples.replacement(of: again, idempotencyDigest: digest, after: 120)
            let late = try await store.replaceKey(corrected, audit: samples.event(.keyRegenerated))
            #expect(late == (.replaced, try await store.newestPosition(samples)))
        }
    }

    @Test(arguments: storesUnderTest)
    func thirtyTwoReplacementsAtOnceLeaveOneLiveKey(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples in
            let new = samples.newAccount()
            let account = try await first.add(new, samples)
            let replacements = (0..<32).map { _ in samples.replacement(of: account) }
            let outcomes = try await withThrowingTaskGroup(of: (Int, KeyReplacementOutcome).self) { group in
                for (index, replacement) in replacements.enumerated() {
                    let store = index.isMultiple(of: 2) ? first : second
                    let audit = samples.event(.keyRegenerated, user: account.user.id)
                    group.addTask { (index, try await store.replaceKey(replacement, audit: audit).value) }
                }
                return try await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
            }
            let winners = outcomes.filter { $0.value != .versionMoved }
            #expect(winners.count == 1)
            let winner = try #require(winners.first)
            #expect(winner.value == .replaced)
            #expect(try await first.newestPosition(samples).number == 1)
            var live = 0
            for sealed in replacements.map(\.sealed) + [new.sealedKey] {
                live += try await first.account(keyDigests: [sealed.digest]) == nil ? 0 : 1
            }
            #expect(live == 1)
            #expect(try await second.account(id: account.user.id)?.key == replacements[winner.key].key)
        }
    }

    @Test(arguments: storesUnderTest)
    func retriesAtOnceWithOneIdempotencyKeyLeadToOneKey(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples in
            let account = try await first.addAccount(samples)
            let digest = samples.random.bytes(32)
            let outcomes = try await withThrowingTaskGroup(of: KeyReplacementOutcome.self) { group in
                for index in 0..<8 {
                    let store = index.isMultiple(of: 2) ? first : second
                    let replacement = samples.replacement(of: account, idempotencyDigest: digest)
                    let audit = samples.event(.keyRegenerated)
                    group.addTask { try await store.replaceKey(replacement, audit: audit).value }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            let live = try #require(try await first.account(id: account.user.id)).key
            let sealed = try #require(try await first.sealedKey(of: account.user.id))
            #expect(outcomes.count { $0 == .replaced } == 1)
            #expect(outcomes.count { $0 == .replayed(live, sealed) } == 7)
        }
    }

    @Test(arguments: storesUnderTest)
    func aLateLastUseNeverLandsOnTheNewKey(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let account = try await store.addAccount(samples)
            let replacement = samples.replacement(of: account)
            _ = try await store.replaceKey(replacement, audit: samples.event(.keyRegenerated))
            let use = LastUse(at: samples.at(90), address: Samples.address)
            try await store.recordUse(of: account, use)
            #expect(try await store.account(id: account.user.id)?.key.lastUse == nil)
            let replaced = try #require(try await store.account(id: account.user.id))
            try await store.recordUse(of: replaced, use)
            #expect(try await store.account(id: account.user.id)?.key.lastUse == use)
        }
    }

    @Test(arguments: storesUnderTest)
    func theLastUseNeverGoesBackwards(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let account = try await store.addAccount(samples)
            let address = try #require(IPAddress("2001:db8::1"))
            let late = LastUse(at: samples.at(100), address: address)
            let early = LastUse(at: samples.at(50), address: Samples.address)
            let uses = [late, early].map { KeyUse(userID: account.user.id, keyID: account.key.id, use: $0) }
            try await store.recordLastUses(uses, now: samples.at(100))
            try await store.recordUse(of: account, early)
            try await store.recordLastUses([], now: samples.at(100))
            #expect(try await store.account(id: account.user.id)?.key.lastUse == late)
            // One from a clock that was ahead gives way to the next.
            let wrong = LastUse(at: samples.at(365 * 86_400), address: Samples.address)
            try await store.recordUse(of: account, wrong, now: wrong.at)
            #expect(try await store.account(id: account.user.id)?.key.lastUse == wrong)
            let next = LastUse(at: samples.at(110), address: address)
            try await store.recordUse(of: account, next, now: samples.at(111))
            #expect(try await store.account(id: account.user.id)?.key.lastUse == next)
            // It is neither a change nor an event.
            #expect(try await store.newestPosition(samples).number == 0)
        }
    }

    @Test(arguments: storesUnderTest)
    func resealingTouchesOnlyTheKeyThatWasRead(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let old = MasterKeyID(rawValue: "mk_one")
            let new = MasterKeyID(rawValue: "mk_two")
            let accounts = [try await store.addAccount(samples), try await store.addAccount(samples)]
            #expect(try await store.sealedKeyCounts() == [old: 2])
            try await store.recordMasterKey(new)
            let read = try await store.keys(notSealedUnder: new, limit: 10)
            #expect(Set(read.map(\.userID)) == Set(accounts.map(\.user.id)))
            #expect(try await store.keys(notSealedUnder: new, limit: 1).count == 1)
            #expect(try await store.keys(notSealedUnder: old, limit: 10).isEmpty)
            // The first account regenerates between the look and the write.
            let replacement = samples.replacement(of: accounts[0])
            _ = try await store.replaceKey(replacement, audit: samples.event(.keyRegenerated))
            let resealed = read.map { key in
                StoredKey(
                    userID: key.userID, keyID: key.keyID, version: key.version, sealed: samples.sealedKey(under: new))
            }
            try await store.reseal(resealed, audit: samples.event(.keyResealed))
            #expect(try await store.sealedKeyCounts() == [old: 1, new: 1])
            #expect(try await store.sealedKey(of: accounts[0].user.id) == replacement.sealed)
            let second = try #require(resealed.first { $0.userID == accounts[1].user.id })
            #expect(try await store.sealedKey(of: accounts[1].user.id) == second.sealed)
            #expect(try await store.account(keyDigests: [second.sealed.digest])?.user.id == accounts[1].user.id)
            #expect(try await store.keys(notSealedUnder: new, limit: 10).map(\.userID) == [accounts[0].user.id])
        }
    }

    @Test(arguments: storesUnderTest)
    func allKeysAreReadPageAfterPage(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            var expected: [UserID] = []
            for _ in 0..<5 { expected.append(try await store.addAccount(samples).user.id) }
            var seen: [UserID] = []
            while true {
                let page = try await store.storedKeys(after: seen.last, limit: 2)
                if page.isEmpty { break }
                seen += page.map(\.userID)
            }
            #expect(seen == expected.sorted())
        }
    }

    @Test(arguments: storesUnderTest)
    func nothingIsSealedUnderARetiredMasterKey(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let account = try await store.addAccount(samples)
            let retired = MasterKeyID(rawValue: "mk_one")
            try await store.retireMasterKeys([retired, retired], audit: samples.event(.masterKeysChanged))
            let refused = await #expect(throws: KeybearerError.self) {
                try await store.replaceKey(
                    samples.replacement(of: account), audit: samples.event(.keyRegenerated, user: account.user.id))
            }
            #expect(refused?.code == .unavailable)
            #expect(try await store.account(id: account.user.id)?.key == account.key)
            await #expect(throws: KeybearerError.self) {
                try await store.createAccount(samples.newAccount(), audit: samples.event(.userCreated))
            }
            let stored = try #require(try await store.storedKeys(after: nil, limit: 10).first)
            try await store.recordMasterKey(MasterKeyID(rawValue: "mk_two"))
            let sealed = samples.sealedKey(under: MasterKeyID(rawValue: "mk_two"))
            let moved = StoredKey(
                userID: stored.userID, keyID: stored.keyID, version: stored.version, sealed: sealed)
            try await store.reseal([moved], audit: samples.event(.keyResealed))
            #expect(try await store.sealedKeyCounts() == [MasterKeyID(rawValue: "mk_two"): 1])
        }
    }

    @Test(arguments: storesUnderTest)
    func whatEndedAKeyIsAmongThePastOnes(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples async throws in
            let new = samples.newAccount()
            let account = try await store.add(new, samples)
            let replacement = samples.replacement(of: account)
            _ = try await store.replaceKey(replacement, audit: samples.event(.keyRegenerated))
            _ = try await store.deleteAccount(account.user.id, audit: samples.event(.userDeleted, after: 90))
            let past = try await store.pastKeys(of: account.user.id)
            #expect(past.map(\.digest) == [new.sealedKey.digest, replacement.sealed.digest])
            #expect(past.map(\.endedAt) == [replacement.key.generatedAt, samples.at(90)])
        }
    }
}
