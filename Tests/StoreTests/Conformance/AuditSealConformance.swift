import KeybearerSQL
import Logging
import TestSupport
import Testing

@testable import Keybearer

extension SQLStore {
    /// Writes an event of nothing that happened.
    func putEvent(_ event: AuditEvent) async throws {
        try await engine.write(on: .requests) { connection in
            try connection.execute(Self.record(event))
            return .changes((), with: [])
        }
    }
}

/// The seals of the audit log on every engine: an ``AuditKey`` makes them of each ``AuditRecord``, an ``AuditVerifier``
/// checks them, ``AuditService`` says what it found. The statements are in ``AuditSeals``.
@Suite struct AuditSealConformance {
    /// A store with sealed events, and who verifies them.
    private struct Stage {
        let store: SQLStore
        let samples: Samples
        let services: Services

        init(_ store: any Store, _ samples: Samples, ring: MasterKeyRing) throws {
            let sql = try #require(store as? SQLStore)
            (self.store, self.samples) = (sql, samples)
            services = Services(
                store: sql, ring: ring, loadRing: { ring }, settings: Services.Settings(), role: .command,
                random: samples.random, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        }

        /// Writes events and seals them.
        func write(_ count: Int, detail: String? = nil, after seconds: Int64 = 0) async throws {
            for number in 0..<count {
                let event = AuditEvent(
                    id: .random(from: samples.random), at: samples.at(seconds + Int64(number)), actor: .commandLine,
                    action: .keyRevealed, userID: UserID(rawValue: "usr_none"), address: Samples.address,
                    detail: detail)
                try await store.putEvent(event)
            }
            try await seal()
        }

        /// Seals all: the transactions of other tests delay it.
        func seal() async throws {
            repeat { try await services.audit.sealer.sealAll() } while try await store.auditCounts().waiting > 0
        }

        func run(_ statements: String...) throws {
            try store.engine.withCopyWriter { connection in
                for statement in statements { try connection.execute(SQL(statement)) }
            }
        }

        func fault(head: AuditHead? = nil) async throws -> AuditFault? {
            try await services.audit.checkSeals(against: head).fault
        }

        func id(at position: Int64) async throws -> String {
            try #require(try await store.auditRecords(after: position - 1, limit: 1).first?.id)
        }
    }

    private static func ring() throws -> MasterKeyRing { try .generate(from: .system) }

    @Test("What was changed, removed, moved or cut off is named, the first of it", arguments: storesUnderTest)
    func everyFaultIsNamed(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let stage = try Stage(store, samples, ring: try Self.ring())
            try await stage.write(20)
            let head = try #require(try await stage.services.audit.head())
            #expect(head.position == 20 && AuditHead("\(head)") == head)
            #expect(try await stage.fault(head: head) == nil)
            try stage.run(
                "CREATE TABLE kept_events AS SELECT * FROM audit_events",
                "CREATE TABLE kept_chain AS SELECT * FROM audit_chain")
            let (seventh, twelfth) = (try await stage.id(at: 7), try await stage.id(at: 12))
            let (eighth, first, last) = (
                try await stage.id(at: 8), try await stage.id(at: 1), try await stage.id(at: 20)
            )
            func event(_ set: String, _ position: Int) -> [String] {
                ["UPDATE audit_events SET \(set) WHERE position = \(position)"]
            }
            func swap(_ one: Int, _ other: Int) -> [String] {
                event("position = 900", one) + event("position = \(one)", other) + event("position = \(other)", 900)
            }
            let cases: [([String], AuditFault)] = [
                (event("actor = 'system'", 7), .changed(seventh, at: 7)),
                (event("address = '192.0.2.99'", 7), .changed(seventh, at: 7)),
                (event("address = NULL", 7), .changed(seventh, at: 7)),
                (event("salt = NULL", 7), .changed(seventh, at: 7)),
                (event("at = at + 1", 1), .changed(first, at: 1)),
                (event("detail = 'x'", 20), .changed(last, at: 20)),
                (["DELETE FROM audit_events WHERE position = 1"], .missing(1)),
                (["DELETE FROM audit_events WHERE position = 7"], .missing(7)),
                (["DELETE FROM audit_events WHERE position = 20"], .missing(20)),
                (swap(7, 12), .moved(twelfth, at: 7, belongsTo: 12)),
                (swap(7, 8), .moved(eighth, at: 7, belongsTo: 8)),
                (
                    [
                        "DELETE FROM audit_events WHERE position = 7",
                        "UPDATE audit_events SET position = position + 1000 WHERE position > 7",
                        "UPDATE audit_events SET position = position - 1001 WHERE position > 1000",
                        "UPDATE audit_chain SET position = 19",
                    ], .changed(eighth, at: 7)
                ),
                (
                    [
                        "DELETE FROM audit_events WHERE position > 15",
                        """
                        UPDATE audit_chain
                        SET position = 15, seal = (SELECT seal FROM audit_events WHERE position = 15)
                        """,
                    ], .cut(behind: 15, head: 20)
                ),
            ]
            for (statements, fault) in cases {
                for statement in statements { try stage.run(statement) }
                #expect(try await stage.fault(head: head) == fault, "\(statements)")
                if case .cut = fault {
                    #expect(try await stage.fault() == nil, "only the head tells")
                    try await stage.write(9)
                    #expect(try await stage.fault(head: head) == .otherHead(20))
                }
                try stage.run(
                    "DELETE FROM audit_events", "INSERT INTO audit_events SELECT * FROM kept_events",
                    "DELETE FROM audit_chain", "INSERT INTO audit_chain SELECT * FROM kept_chain")
            }
            #expect(try await stage.fault(head: head) == nil)
            let newest = try await stage.services.audit.checkSeals(newest: 5)
            #expect(newest.fault == nil && newest.count == 5)
            try stage.run("DROP TABLE kept_events", "DROP TABLE kept_chain")
        }
    }

    @Test("Erasing what tells who somebody was leaves the chain whole", arguments: storesUnderTest)
    func erasureVerifies(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let stage = try Stage(store, samples, ring: try Self.ring())
            let user = try await store.addAccount(samples).user
            for detail in ["mailed to \(user.email)", "free", nil] as [String?] {
                let event = samples.event(.keyRevealed, user: user.id, detail: detail)
                try await store.recordReveal(of: user.id, audit: event)
            }
            try await stage.write(2)
            _ = try await store.deleteAccount(user.id, audit: samples.event(.userDeleted, user: user.id))
            try await stage.seal()
            #expect(try await stage.fault() == nil)
            try await store.erasePersonalData(of: user.id)
            let report = try await stage.services.audit.checkSeals()
            // Made, three reveals, deleted; the other two are somebody else's.
            #expect(report.fault == nil && report.count == 7 && report.erased == 5)
            #expect(try await store.auditCounts().erased == 5)
            let records = try await store.auditRecords(after: 0, limit: 10)
            #expect(records.filter(\.isErased).allSatisfy { $0.address == nil && $0.seal?.salt == nil })
            #expect(records.compactMap(\.detail) == ["free"])
            // What is put in the place of what was erased is found.
            let place = try #require(records.first { $0.isErased }?.position)
            try stage.run("UPDATE audit_events SET address = '192.0.2.7' WHERE position = \(place)")
            #expect(try await stage.fault() == .changed(records[Int(place) - 1].id, at: place))
        }
    }

    @Test("Old events go in steps, and a signed checkpoint stays", arguments: storesUnderTest)
    func retentionVerifies(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let stage = try Stage(store, samples, ring: try Self.ring())
            try await stage.write(10)
            let old = try #require(try await stage.services.audit.head())
            try await stage.write(10, after: 1_000)
            let key = try #require(KeyVault(ring: try Self.ring()).activeAuditKey)
            #expect(try await store.removeAuditEvents(before: samples.at(0), atMost: 5, by: key) == 0)
            let sealer = stage.services.audit.sealer
            try await sealer.removeOld(before: samples.at(7))
            var report = try await stage.services.audit.checkSeals(against: old)
            #expect(report.fault == nil && report.begin == 7 && report.count == 13 && !report.isHeadTooOld)
            try await sealer.removeOld(before: samples.at(500))
            #expect(try await stage.fault(head: old) == nil, "the checkpoint is at the head")
            try await stage.write(3, after: 2_000)
            try await sealer.removeOld(before: samples.at(1_005))
            report = try await stage.services.audit.checkSeals(against: old)
            #expect(report.fault == nil && report.begin == 15 && report.count == 8 && report.isHeadTooOld)
            // However old it is, the newest stays: the next one rests on it.
            try await sealer.removeOld(before: samples.at(100_000))
            report = try await stage.services.audit.checkSeals()
            #expect(report.fault == nil && report.begin == 22 && report.count == 1)
            try stage.run("UPDATE audit_chain SET checkpoint_at = checkpoint_at + 1")
            #expect(try await stage.fault() == .checkpoint(22))
        }
    }

    @Test("What a retired master key sealed is verified with the keys in use", arguments: storesUnderTest)
    func rotationVerifies(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let first = try Self.ring()
            var stage = try Stage(store, samples, ring: first)
            try await stage.write(3)
            for round in 1...2 {
                let ring = try await stage.services.masterKeys.rotate(save: { _ in }, progress: { _ in })
                #expect(ring.entries.count { if case .master = $0.material { true } else { false } } == 1)
                // As a process that never held the old ones.
                stage = try Stage(store, samples, ring: ring)
                try await stage.write(2, after: Int64(round) * 100)
                let report = try await stage.services.audit.checkSeals()
                #expect(report.fault == nil)
            }
            let ids = Set(try await store.auditRecords(after: 0, limit: 100).compactMap(\.seal?.keyID))
            #expect(ids.count == 3)
            #expect(try await store.auditKeys().count == 2)
            let place = try #require(try await store.auditRecords(after: 0, limit: 1).first?.seal?.keyID)
            #expect(first.activeID == place)
            try stage.run("DELETE FROM audit_keys WHERE id = '\(place)'")
            #expect(try await stage.fault() == .unknownKey(place, at: 1))
        }
    }

    @Test func aNodeThatOnlyVerifiesSealsNothing() async throws {
        try await StoreUnderTest.sqlite.run { store, samples in
            let ring = try Self.ring()
            let stage = try Stage(store, samples, ring: try KeyVault(ring: ring).verifyOnlyRing())
            try await stage.store.putEvent(samples.event(.keyRevealed))
            #expect(try await stage.services.audit.sealer.sealAll() == 0)
            #expect(try await Stage(store, samples, ring: ring).services.audit.sealer.sealAll() == 1)
        }
    }

    @Test func whatIsNoHeadIsRefused() {
        let seal = String(repeating: "0a", count: 32)
        #expect(AuditHead("12:\(seal)")?.description == "12:\(seal)")
        for bad in [
            "", "12", ":\(seal)", "0:\(seal)", "-1:\(seal)", "012:\(seal)", "12:\(seal)0", "12:\(seal):", "12:",
            "12:" + String(repeating: "+a", count: 32), "12:" + String(repeating: "zz", count: 32),
        ] { #expect(AuditHead(bad) == nil, "\(bad)") }
    }
}
