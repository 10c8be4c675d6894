import Keybearer
import TestSupport
import Testing

/// The ``OperatorTokenStore`` on every engine.
@Suite struct OperatorTokenConformance {
    private func token(_ samples: Samples, name: String = "billing", after seconds: Int64 = 0) -> OperatorToken {
        OperatorToken(
            id: .random(from: samples.random), name: name, scopes: [.introspect], createdAt: samples.at(seconds))
    }

    @Test(arguments: storesUnderTest)
    func aTokenIsKnownByItsDigestAloneUntilItIsRevoked(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { store, second, samples in
            let (one, other) = (token(samples), token(samples, name: "gateway", after: 1))
            let (digest, otherDigest) = (samples.random.bytes(32), samples.random.bytes(32))
            try await store.createOperatorToken(other, digest: otherDigest, audit: samples.event(.operatorTokenCreated))
            try await store.createOperatorToken(one, digest: digest, audit: samples.event(.operatorTokenCreated))
            #expect(try await second.operatorToken(digest: digest, now: samples.at(2)) == one)
            #expect(try await second.operatorToken(digest: samples.random.bytes(32), now: samples.at(2)) == nil)
            #expect(try await second.operatorTokens() == [one, other])
            #expect(try await second.untaggedOperatorTokens(limit: 10).isEmpty, "both carry a tag")
            try await store.revokeOperatorToken(one.id, audit: samples.event(.operatorTokenRevoked))
            #expect(try await second.operatorToken(digest: digest, now: samples.at(2)) == nil)
            #expect(try await second.operatorTokens() == [other])
            let events = try await store.auditEvents(userID: nil, limit: 3).map(\.action)
            #expect(events == [.operatorTokenRevoked, .operatorTokenCreated, .operatorTokenCreated])
        }
    }

    @Test(arguments: storesUnderTest)
    func aTokenEndsAtItsTimeAndKeepsItsLastUse(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { store, second, samples in
            let now = Clocks.system.wall()
            let (day, use) = (Duration.seconds(86_400), LastUse(at: now, address: IPAddress(v4: 0xC000_0201)))
            let digests = (samples.random.bytes(32), samples.random.bytes(32))
            for (digest, end) in [(digests.0, now.advanced(by: day)), (digests.1, now.advanced(by: .zero - day))] {
                let token = OperatorToken(
                    id: .random(from: samples.random), name: "billing", scopes: [.portal, .readUsers],
                    createdAt: now.advanced(by: .zero - day), expiresAt: end, shownPrefix: "kbo_a1b2")
                try await store.createOperatorToken(token, digest: digest, audit: samples.event(.operatorTokenCreated))
                try await store.recordUse(of: token.id, use)
            }
            let live = try #require(try await second.operatorToken(digest: digests.0, now: now))
            #expect(live.lastUse == use && live.shownPrefix == "kbo_a1b2" && live.scopes == [.portal, .readUsers])
            #expect(try await second.operatorToken(digest: digests.1, now: now) == nil, "it has expired")
        }
    }

    @Test(arguments: storesUnderTest)
    func aTokenThatWritesWithoutPauseIsRevoked(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples in
            let token = token(samples)
            let digest = samples.random.bytes(32)
            try await first.createOperatorToken(token, digest: digest, audit: samples.event(.operatorTokenCreated))
            var users: [UserID] = []
            for _ in 0..<8 { users.append(try await first.addAccount(samples).user.id) }
            let (begun, ended) = (Counter(), Counter())
            try await withThrowingTaskGroup(of: Void.self) { group in
                for user in users {
                    group.addTask {
                        // Their transactions overlap: the token's row is never free of one that shares it.
                        for name in 0... {
                            do {
                                let write = samples.rename(user, "Ada \(name)")
                                _ = try await first.perform([write], by: Authority(.operatorToken(token.id)))
                                begun.increment()
                            } catch let error as KeybearerError where error.code == .unauthorized {
                                break
                            }
                        }
                        ended.increment()
                    }
                }
                while begun.value < 100 { await Task.yield() }
                try await second.revokeOperatorToken(token.id, audit: samples.event(.operatorTokenRevoked))
                #expect(try await second.operatorToken(digest: digest, now: samples.at(2)) == nil)
                // What was not committed by now never is.
                let position = try await second.newestPosition(samples)
                try await group.waitForAll()
                #expect(try await second.newestPosition(samples) == position && ended.value == 8)
            }
            await expect(.notFound) {
                try await first.revokeOperatorToken(token.id, audit: samples.event(.operatorTokenRevoked))
            }
            let events = try await first.auditEvents(userID: nil, limit: 10_000).map(\.action)
            #expect(events.count { $0 == .operatorTokenRevoked } == 1)
        }
    }

    @Test(arguments: storesUnderTest)
    func revokingNothingFailsAndLeavesNoRow(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let id = OperatorTokenID.random(from: samples.random)
            await expect(.notFound) {
                try await store.revokeOperatorToken(id, audit: samples.event(.operatorTokenRevoked))
            }
            let events = try await store.auditEvents(userID: nil, limit: 1)
            #expect(events.isEmpty)
        }
    }
}
