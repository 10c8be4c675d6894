import TestSupport
import Testing

@testable import Keybearer

/// The ``RingCheck`` of a ring against each ``MasterKeyRecord`` of a database.
@Suite struct RingCheckTests {
    private let random = RandomSource.seeded(41)
    private let ring: MasterKeyRing
    private let vault: KeyVault
    private let old: MasterKeyID
    private let new: MasterKeyID
    /// The old master key is needed for its tag, the new one for everything.
    private let records: [MasterKeyRecord]

    init() throws {
        let first = try MasterKeyRing.generate(from: random)
        let second = try MasterKeyRing.generate(from: random)
        old = try #require(first.activeID)
        new = try #require(second.activeID)
        ring = try MasterKeyRing(entries: first.entries + second.entries, activeID: new)
        vault = KeyVault(ring: ring)
        records = [
            try #require(vault.record(of: old, seals: false, tags: true)),
            try #require(vault.record(of: new, seals: true, tags: true)),
        ]
    }

    /// The lines of the ring, as they would be in another one, without a secret where it has none.
    private func entry(_ id: MasterKeyID, in ring: MasterKeyRing) throws -> MasterKeyRing.Entry {
        try #require(ring.entries.first { $0.id == id })
    }

    private func problems(_ entries: [MasterKeyRing.Entry], active: MasterKeyID? = nil) throws -> [RingProblem] {
        KeyVault(ring: try MasterKeyRing(entries: entries, activeID: active)).problems(with: records)
    }

    @Test("A ring fits that holds what is needed, by whatever lines, and more")
    func fits() throws {
        #expect(vault.problems(with: records).isEmpty)
        #expect(vault.activeProblem(with: records) == nil)
        #expect(KeyVault(ring: try vault.verifyOnlyRing()).problems(with: records).isEmpty)
        let retired = try vault.ringRetiring(old, keepingTag: true)
        #expect(KeyVault(ring: retired).problems(with: records).isEmpty, "a bare tag line checks what it holds")
        let more = try MasterKeyRing.generate(from: random).entries
        #expect(try problems(ring.entries + more).isEmpty)
        #expect(vault.problems(with: []).isEmpty)
    }

    @Test("What is missing is named, with what it is needed for")
    func missing() throws {
        #expect(try problems([entry(new, in: ring)], active: new) == [.missing(old, .tag)])
        #expect(try problems([entry(old, in: ring)], active: old) == [.missing(new, .seal)])
        let tagOfNew = try entry(new, in: vault.ringRetiring(old, keepingTag: false))
        guard case .master = tagOfNew.material else { Issue.record("it is whole"); return }
        let onlyTags = try KeyVault(ring: MasterKeyRing(entries: ring.entries, activeID: old))
            .ringRetiring(new, keepingTag: true)
        #expect(try problems(onlyTags.entries, active: old) == [.missing(new, .seal)], "a tag verifies nothing")
        let other = try MasterKeyRing.generate(from: random)
        #expect(try problems(other.entries) == [.missing(old, .tag), .missing(new, .seal)])
    }

    @Test("An id with another secret is found, also in a ring that only verifies and in a bare tag line")
    func differs() throws {
        let wrong = MasterKeyRing.Entry(id: new, material: .master(random.bytes(32)))
        let impostor = try MasterKeyRing(entries: [entry(old, in: ring), wrong], activeID: new)
        #expect(KeyVault(ring: impostor).problems(with: records) == [.differs(new, .seal)])
        let verifying = try KeyVault(ring: impostor).verifyOnlyRing()
        #expect(KeyVault(ring: verifying).problems(with: records) == [.differs(new, .seal)])
        let wrongTag = MasterKeyRing.Entry(id: old, material: .tagOnly(random.bytes(32)))
        #expect(try problems([wrongTag, entry(new, in: ring)], active: new) == [.differs(old, .tag)])
        // Where nothing is noted yet, the ids alone are looked at.
        let unstamped = records.map {
            MasterKeyRecord(
                id: $0.id, isRetired: false, seals: $0.seals, tags: $0.tags, tagFingerprint: nil,
                digestFingerprint: nil)
        }
        #expect(KeyVault(ring: impostor).problems(with: unstamped).isEmpty)
    }

    @Test("New keys are made under a master key that every process holds")
    func active() throws {
        let more = try MasterKeyRing.generate(from: random)
        let id = try #require(more.activeID)
        let foreign = KeyVault(ring: try MasterKeyRing(entries: ring.entries + more.entries, activeID: id))
        #expect(foreign.activeProblem(with: records) == .activeIsUnknown(id, known: [new]))
        let retired =
            records + [
                MasterKeyRecord(
                    id: id, isRetired: true, seals: false, tags: false, tagFingerprint: nil, digestFingerprint: nil)
            ]
        #expect(foreign.activeProblem(with: retired) == .activeIsRetired(id))
        #expect(KeyVault(ring: try vault.verifyOnlyRing()).activeProblem(with: []) == nil)
    }

    @Test("The words name the id and the line that is wanted, and no secret")
    func words() throws {
        for problem in [RingProblem.missing(old, .tag), .missing(new, .seal), .differs(new, .seal)] {
            let text = problem.description
            #expect(text.contains(problem.wanted[0].rawValue) && text.contains("backup"))
        }
        #expect(RingProblem.missing(new, .seal).description.contains("'master \(new) …'"))
        #expect(RingProblem.missing(old, .tag).description.contains("'tag \(old) …'"))
    }
}
