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
            #expect(try await second.operatorToken(digest: digest) == one)
            #expect(try await second.operatorToken(digest: samples.random.bytes(32)) == nil)
            #expect(try await second.operatorTokens() == [one, other])
            #expect(try await second.untaggedOperatorTokens(limit: 10).isEmpty, "both carry a tag")
            try await store.revokeOperatorToken(one.id, audit: samples.event(.operatorTokenRevoked))
            #expect(try await second.operatorToken(digest: digest) == nil)
            #expect(try await second.operatorTokens() == [other])
            let events = try await store.auditEvents(userID: nil, limit: 3).map(\.action)
            #expect(events == [.operatorTokenRevoked, .operatorTokenCreated, .operatorTokenCreated])
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
