import Keybearer
import TestSupport
import Testing

/// The ``FenceStore`` on every engine (``PostgresFence``): each ``Change`` in its order, each ``RegisteredNode``
/// (``Nodes``).
@Suite struct FenceConformance {
    private static let origin = ChangeLogPosition(number: 0, nonce: "")
    private static let lease = Duration.milliseconds(2_500)

    private static func change(_ store: any Store, _ samples: Samples) async throws -> ChangeLogPosition {
        try await store.recordChange(of: .everything, audit: samples.event(.planChanged))
    }

    @Test(arguments: storesUnderTest)
    func anEmptyHistoryBeginsAtZero(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples async throws in
            let node = NodeID.random(from: samples.random)
            #expect(try await store.registerNode(node, lease: Self.lease) == Self.origin)
            #expect(try await store.changes(after: Self.origin, limit: 10) == [])
            #expect(try await store.renewLease(of: node, applied: Self.origin) == .renewed)
            #expect(try await store.changes(after: ChangeLogPosition(number: 1, nonce: ""), limit: 10) == nil)
        }
    }

    @Test(arguments: storesUnderTest)
    func numbersHaveNoGapsAndTheOrderOfTheirCommits(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples in
            let users = [try await first.addAccount(samples).user.id, try await first.addAccount(samples).user.id]
            let positions = try await withThrowingTaskGroup(of: Change.self) { group in
                for index in 0..<40 {
                    let store = index.isMultiple(of: 2) ? first : second
                    let user = users[index % 3 == 0 ? 0 : 1]
                    let audit = samples.event(.userEnabled, user: user)
                    group.addTask {
                        let position = try await store.setStatus(.active, of: user, audit: audit)
                        return Change(position: position, subject: .user(user))
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            let ordered = positions.sorted { $0.position.number < $1.position.number }
            #expect(ordered.map(\.position.number) == Array(1...40))
            #expect(Set(ordered.map(\.position.nonce)).count == 40)
            #expect(try await second.changes(after: Self.origin, limit: 100) == ordered)
            // In pieces as well.
            #expect(try await first.changes(after: Self.origin, limit: 3) == Array(ordered[0..<3]))
            #expect(try await first.changes(after: ordered[2].position, limit: 5) == Array(ordered[3..<8]))
            #expect(try await first.changes(after: ordered[39].position, limit: 5) == [])
        }
    }

    @Test(arguments: storesUnderTest)
    func aChangeIsThereForOthersWhenItReturns(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples in
            var before = Self.origin
            for _ in 0..<10 {
                let position = try await Self.change(first, samples)
                #expect(
                    try await second.changes(after: before, limit: 10) == [
                        Change(position: position, subject: .everything)
                    ])
                before = position
            }
        }
    }

    @Test(arguments: storesUnderTest)
    func aPositionOfAnotherHistoryIsNil(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let position = try await Self.change(store, samples)
            _ = try await Self.change(store, samples)
            #expect(try await store.changes(after: position, limit: 10)?.count == 1)
            #expect(try await store.changes(after: ChangeLogPosition(number: 1, nonce: "other"), limit: 10) == nil)
            #expect(
                try await store.changes(after: ChangeLogPosition(number: 3, nonce: position.nonce), limit: 10) == nil)
        }
    }

    @Test(arguments: storesUnderTest)
    func aRenewalIsAnAcknowledgement(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples in
            let node = NodeID.random(from: samples.random)
            let start = try await first.registerNode(node, lease: Self.lease)
            let position = try await Self.change(second, samples)
            #expect(try await first.renewLease(of: node, applied: start) == .behind)
            let behind = try await second.nodes(behind: position.number)
            #expect(behind.map(\.id) == [node])
            #expect(behind.map(\.lease) == [Self.lease])
            #expect(try await first.renewLease(of: node, applied: position) == .renewed)
            #expect(try await second.nodes(behind: position.number).isEmpty)
            #expect(try await second.nodes(behind: position.number + 1).map(\.id) == [node])
        }
    }

    @Test(arguments: storesUnderTest)
    func aRegisteredNodeIsReadAsItSaidItIs(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples in
            #expect(try await second.nodes().isEmpty)
            let id = NodeID.random(from: samples.random)
            let start = try await first.registerNode(id, label: "host 7", version: "1.2.3", lease: Self.lease)
            let registered = RegisteredNode(
                id: id, label: "host 7", acknowledged: start.number, renewals: 0, lease: Self.lease, version: "1.2.3")
            #expect(try await second.nodes() == [registered])
            let position = try await Self.change(second, samples)
            #expect(try await first.renewLease(of: id, applied: position) == .renewed)
            let renewed = RegisteredNode(
                id: id, label: "host 7", acknowledged: position.number, renewals: 1, lease: Self.lease,
                version: "1.2.3")
            #expect(try await second.nodes() == [renewed])
            // Registered again, with all that it says of itself.
            _ = try await first.registerNode(id, label: "host 8", version: "1.2.4", lease: .seconds(3))
            let again = try #require(try await second.nodes().first)
            #expect(again.id == id)
            #expect(again.label == "host 8")
            #expect(again.version == "1.2.4")
            #expect(again.lease == .seconds(3))
            #expect(again.acknowledged == position.number)
            try await first.unregisterNode(id)
            #expect(try await second.nodes().isEmpty)
        }
    }

    @Test(arguments: storesUnderTest)
    func aNodeThatTheStoreDoesNotKnowMustEmptyItsCache(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let node = NodeID.random(from: samples.random)
            #expect(try await store.renewLease(of: node, applied: Self.origin) == .unknownNode)
            _ = try await store.registerNode(node, lease: Self.lease)
            let position = try await Self.change(store, samples)
            let other = ChangeLogPosition(number: position.number, nonce: "other")
            let beyond = ChangeLogPosition(number: position.number + 1, nonce: position.nonce)
            #expect(try await store.renewLease(of: node, applied: other) == .unknownNode)
            #expect(try await store.renewLease(of: node, applied: beyond) == .unknownNode)
            #expect(try await store.nodes(behind: position.number).map(\.id) == [node])
            try await store.unregisterNode(node)
            #expect(try await store.nodes(behind: position.number).isEmpty)
            #expect(try await store.renewLease(of: node, applied: position) == .unknownNode)
            #expect(try await store.renewLease(of: node, applied: Self.origin) == .unknownNode)
        }
    }

    @Test(arguments: storesUnderTest)
    func onlyNodesThatAreStillBehindAreExpelled(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let slow = NodeID.random(from: samples.random)
            let quick = NodeID.random(from: samples.random)
            _ = try await store.registerNode(slow, lease: Self.lease)
            _ = try await store.registerNode(quick, lease: Self.lease)
            let position = try await Self.change(store, samples)
            let behind = try await store.nodes(behind: position.number).map(\.id)
            #expect(Set(behind) == [slow, quick])
            // One of them renews between the look and the expulsion.
            #expect(try await store.renewLease(of: quick, applied: position) == .renewed)
            try await store.expelNodes(behind, behind: position.number)
            #expect(try await store.renewLease(of: quick, applied: position) == .renewed)
            #expect(try await store.renewLease(of: slow, applied: position) == .unknownNode)
            // It comes back as a new node does: at the newest position.
            #expect(try await store.registerNode(slow, lease: Self.lease) == position)
            #expect(try await store.nodes(behind: position.number).isEmpty)
        }
    }

    @Test(arguments: storesUnderTest)
    func noRenewalOverlooksAChange(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples in
            let node = NodeID.random(from: samples.random)
            let start = try await first.registerNode(node, lease: Self.lease)
            let users = [try await second.addAccount(samples).user.id]
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    for _ in 0..<20 {
                        let position = try await second.setStatus(
                            .active, of: users[0], audit: samples.event(.userEnabled))
                        // After the answer the node either has acknowledged this number or counts as behind.
                        let behind = try await second.nodes(behind: position.number).map(\.id)
                        let renewal = try await second.renewLease(of: node, applied: start)
                        #expect(renewal == .behind)
                        #expect(behind == [node] || behind == [])
                    }
                }
                group.addTask {
                    var applied = start
                    while applied.number < 20 {
                        for change in try await first.changes(after: applied, limit: 100) ?? [] {
                            #expect(change.position.number == applied.number + 1)
                            applied = change.position
                        }
                        #expect(try await first.renewLease(of: node, applied: applied) != .unknownNode)
                    }
                }
                try await group.waitForAll()
            }
            let newest = try await first.newestPosition(samples)
            #expect(newest.number == 20)
            #expect(try await first.renewLease(of: node, applied: newest) == .renewed)
        }
    }
}
