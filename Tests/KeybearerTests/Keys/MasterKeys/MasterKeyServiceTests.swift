import KeybearerSQL
import TestSupport
import Testing

@testable import Keybearer

/// A rotation by the ``MasterKeyService``, beside a node that verifies with its ``CurrentVault``.
@Suite struct MasterKeyServiceTests: OnNodeStage {
    let stage: NodeStage

    init() throws {
        stage = try NodeStage()
    }

    @Test("Rotation: keys go on working, the old master key is reduced to its tag, and nothing is left under it")
    func rotation() async throws {
        await node.fence.step()
        let (account, key) = try await fixture.entitledAccount(services)
        #expect(await fixture.verdict(key, at: node).isAdmitted)
        var saved: [MasterKeyRing] = []
        let ring = try await services.masterKeys.rotate(
            save: {
                saved.append($0); fixture.ringFile.replace(with: KeyVault(ring: $0))
            }, progress: { _ in })
        #expect(await fixture.verdict(key, at: node).isAdmitted)
        #expect(saved.count == 3)
        #expect(ring.activeID != fixture.ring.activeID)
        #expect(try await fixture.store.sealedKeyCounts().keys.map(\.rawValue) == [ring.activeID?.rawValue])
        let vault = KeyVault(ring: ring)
        #expect(vault.isGenuine(key))
        let record = try #require(try await fixture.store.storedKeys(after: nil, limit: 1).first)
        let opened = try vault.open(
            record.sealed, userID: account.user.id, keyID: record.keyID, version: record.version)
        #expect(opened == key)
        let old = try #require(ring.entries.first { $0.id == fixture.ring.activeID })
        guard case .tagOnly = old.material else { Issue.record("the old master key is still whole"); return }
    }
}
