import Dispatch
import KeybearerSQL
import TestSupport
import Testing

@testable import Keybearer

/// The positions of the audit log on every engine, which ``AuditSealer`` gives: no gap, none twice, and whoever follows
/// them misses no event.
@Suite struct AuditPositionConformance {
    private static let key = (try? MasterKeyRing.generate(from: .system)).flatMap { KeyVault(ring: $0).activeAuditKey }
    private static let fastWrites = 90
    private static let slowWrites = 12

    /// Writes that go on in both processes at the same time; on PostgreSQL some stay open while others are committed.
    private struct Writers {
        let stores: [SQLStore]
        let samples: Samples
        /// Counts what was committed since a slow write began.
        private let committed = DispatchSemaphore(value: 0)
        let canHold: Bool

        init(_ stores: [SQLStore], _ samples: Samples, canHold: Bool) {
            (self.stores, self.samples, self.canHold) = (stores, samples, canHold)
        }

        /// Writes, and returns the ids of the events.
        func run() async throws -> Set<EventID> {
            let ids = try await withThrowingTaskGroup(of: [EventID].self) { group in
                for store in stores {
                    for _ in 0..<3 { group.addTask { try await fast(AuditPositionConformance.fastWrites / 6, store) } }
                    group.addTask { try await slow(AuditPositionConformance.slowWrites / 2, store) }
                }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            return Set(ids)
        }

        private func fast(_ count: Int, _ store: SQLStore) async throws -> [EventID] {
            var ids: [EventID] = []
            for _ in 0..<count {
                let event = samples.event(.keyRevealed)
                try await store.putEvent(event)
                ids.append(event.id)
                committed.signal()
            }
            return ids
        }

        private func slow(_ count: Int, _ store: SQLStore) async throws -> [EventID] {
            var ids: [EventID] = []
            for _ in 0..<count {
                let (event, committed, canHold) = (samples.event(.keyRegenerated), committed, canHold)
                try await store.engine.write(on: .requests) { connection in
                    try connection.execute(SQLStore.record(event))
                    // The event has its number; those that are written meanwhile have higher ones.
                    if canHold { for _ in 0..<4 { _ = committed.wait(timeout: .now() + 0.1) } }
                    return .changes((), with: [])
                }
                ids.append(event.id)
            }
            return ids
        }
    }

    @Test("Two processes write, with transactions that stay open, and a third one follows", arguments: storesUnderTest)
    func whoeverFollowsMissesNothing(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples in
            let stores = [try #require(first as? SQLStore), try #require(second as? SQLStore)]
            let writers = Writers(stores, samples, canHold: subject.testDescription == "PostgreSQL")
            let (total, key) = (Self.fastWrites + Self.slowWrites, try #require(Self.key))
            let sealers = stores.map { store in
                Task {
                    while !Task.isCancelled {
                        _ = try await store.sealAuditEvents(atMost: 7, by: key, random: samples.random)
                    }
                }
            }
            async let written = writers.run()
            var followed: [AuditEvent] = []
            while followed.count < total {
                let page = try await second.auditEvents(after: Int64(followed.count), of: nil, limit: 5)
                let expected = page.indices.map { Int64(followed.count + $0 + 1) }
                #expect(page.map(\.position) == expected)
                followed += page
                if page.isEmpty { await Task.yield() }
            }
            sealers.forEach { $0.cancel() }
            let ids = try await written
            #expect(ids.count == total && Set(followed.map(\.id)) == ids)
            #expect(followed.count == total, "none twice")
            #expect(try await first.auditEvents(after: 0, of: nil, limit: 1_000) == followed, "the order stays")
        }
    }

    @Test func anEventWaitsForWhatBeganBeforeIt() async throws {
        try await StoreUnderTest.postgres.run { store, samples in
            let store = try #require(store as? SQLStore)
            let (begun, gate) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
            let held = samples.event(.keyRegenerated)
            async let slow: Void = store.engine.write(on: .requests) { connection in
                try connection.execute(SQLStore.record(held))
                begun.signal()
                gate.wait()
                return .changes((), with: [])
            }
            try await onThread { begun.wait() }
            let (other, key) = (samples.event(.keyRevealed), try #require(Self.key))
            try await store.putEvent(other)
            #expect(try await store.sealAuditEvents(atMost: 10, by: key, random: samples.random) == 0)
            gate.signal()
            try await slow
            try await seal(2, store)
            #expect(try await store.auditEvents(after: 0, of: nil, limit: 10).map(\.id) == [held.id, other.id])
        }
    }

    @Test("What an earlier version left gets its positions in steps, in its order", arguments: storesUnderTest)
    func manyOldRows(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let store = try #require(store as? SQLStore)
            let ids = (0..<1_234).map { _ in EventID.random(from: samples.random) }
            let rows = ids.enumerated().map { index, id -> [SQLValue] in
                [
                    .number(3 * index + 1), .id(id), .time(samples.at(5)), .text("cli"), .text("key.revealed"),
                    .text(index.isMultiple(of: 2) ? "usr_even" : "usr_odd"), .null, .null, .null, .null, .null, .null,
                    .null, .null, .null, .null, .null, .null, .null,
                ]
            }
            try store.engine.withCopyWriter { try $0.insertMany(rows, into: CopiedTable.auditEvents) }
            let key = try #require(Self.key)
            var steps: [Int] = []
            while steps.reduce(0, +) < ids.count {
                steps.append(try await store.sealAuditEvents(atMost: 500, by: key, random: samples.random))
            }
            #expect(steps.filter { $0 > 0 } == [500, 500, 234])
            #expect(try await store.sealAuditEvents(atMost: 500, by: key, random: samples.random) == 0)
            let events = try await store.auditEvents(after: 0, of: nil, limit: 2_000)
            #expect(events.map(\.id) == ids)
            #expect(events.map(\.position) == (1...1_234).map { Int64($0) })
            let odd = try await store.auditEvents(after: 1_000, of: UserID(rawValue: "usr_odd"), limit: 2)
            #expect(odd.map(\.position) == [1_002, 1_004])
        }
    }

    @Test func rowsOfAnotherServerWaitForNobody() async throws {
        let database = try PostgresDatabase()
        let (store, samples) = (try database.open(), Samples())
        _ = try await store.addAccount(samples)
        // As a dump of a server that has had many more transactions leaves it.
        try database.run("UPDATE audit_events SET writer = '9000000000000'::xid8")
        try await seal(1, store)
        try store.close()
    }

    /// Seals until a number of events have their position: those of other tests' transactions on the server delay it.
    private func seal(_ count: Int, _ store: SQLStore) async throws {
        let key = try #require(Self.key)
        var sealed = 0
        while sealed < count {
            sealed += try await store.sealAuditEvents(atMost: 10, by: key, random: .system)
        }
        #expect(sealed == count)
    }
}
