import Keybearer
import TestSupport
import Testing

/// The ``AuditStore`` on every engine: each ``AuditEvent`` is there with what it is about.
@Suite struct AuditConformance {
    @Test(arguments: storesUnderTest)
    func eventsAreReadBackNewestFirst(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let account = try await store.addAccount(samples)
            let other = try await store.addAccount(samples, after: 1)
            let event = AuditEvent(
                id: .random(from: samples.random), at: samples.at(2), actor: .user(other.user.id), action: .keyRevealed,
                userID: account.user.id, workspaceID: account.workspaces[0].workspace.id,
                address: IPAddress("2001:db8::5"), detail: "shown")
            try await store.recordReveal(of: account.user.id, audit: event)
            let bare = AuditEvent(
                id: .random(from: samples.random), at: samples.at(3), actor: .commandLine, action: .keyResealed)
            try await store.recordReveal(of: account.user.id, audit: bare)
            let all = try await store.auditEvents(userID: nil, limit: 10)
            #expect(all.map(\.action) == [.keyResealed, .keyRevealed, .userCreated, .userCreated])
            #expect(all[0] == bare)
            #expect(all[1] == event)
            #expect(try await store.auditEvents(userID: nil, limit: 1) == [bare])
            let own = try await store.auditEvents(userID: account.user.id, limit: 10)
            #expect(own.map(\.action) == [.keyRevealed, .userCreated])
        }
    }

    @Test("What differs from the settings of the last start is written once (W13)", arguments: storesUnderTest)
    func settingsThatDifferAreWritten(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples in
            @Sendable func event(_ name: String, _ change: ValueChange) -> AuditEvent {
                AuditEvent(
                    id: .random(from: samples.random), at: samples.at(1), actor: .system, action: .settingChanged,
                    detail: name, change: change)
            }
            func events(_ store: any Store) async throws -> [String] {
                try await store.auditEvents(userID: nil, limit: 10).map { event in
                    "\(event.detail ?? ""): \(event.change?.before ?? "-") \(event.change?.after ?? "-")"
                }
            }
            try await first.noteStart(with: ["sign-up": "closed", "lease": "3s"], event: event)
            #expect(try await events(first) == [], "nothing is known to compare with")
            let settings = ["lease": "3s", "sign-up": "closed"]
            for store in [second, first] { try await store.noteStart(with: settings, event: event) }
            #expect(try await events(first) == [])
            try await second.noteStart(with: ["lease": "5s", "mail-from": "a@example.com"], event: event)
            #expect(
                try await events(first).sorted() == ["lease: 3s 5s", "mail-from: - a@example.com", "sign-up: closed -"])
            // Of servers that start together, one finds the difference.
            try await withThrowingTaskGroup(of: Void.self) { group in
                for store in [first, second, first, second] {
                    group.addTask { try await store.noteStart(with: ["lease": "6s"], event: event) }
                }
                try await group.waitForAll()
            }
            #expect(try await events(second).count == 5)
        }
    }

    /// Every method that changes something, tried with an event that cannot be written because its id is taken: what
    /// the method did must be gone with it.
    @Test(arguments: storesUnderTest)
    func nothingHappensWithoutItsEvent(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let account = try await store.addAccount(samples)
            let guest = try await store.addAccount(samples, after: 1)
            let user = account.user.id
            let workspace = account.workspaces[0].workspace.id
            let session = samples.session(of: user)
            try await store.startSession(
                session, tokenDigest: samples.random.bytes(32), replacing: nil, audit: samples.event(.sessionStarted))
            _ = try await store.putMember(
                Membership(workspaceID: workspace, userID: guest.user.id, role: .member),
                audit: samples.event(.memberAdded))
            let taken = samples.event(.keyRevealed)
            try await store.recordReveal(of: user, audit: taken)
            let before = try await snapshot(store, user, workspace, samples)

            let attempts: [(String, () async throws -> Void)] = [
                ("createAccount", { _ = try await store.createAccount(samples.newAccount(), audit: taken) }),
                ("setPasswordHash", { _ = try await store.setPassword("$", of: user, keeping: nil, audit: taken) }),
                ("setStatus", { _ = try await store.setStatus(.disabled, of: user, audit: taken) }),
                ("deleteAccount", { _ = try await store.deleteAccount(guest.user.id, audit: taken) }),
                ("recordReveal", { try await store.recordReveal(of: user, audit: taken) }),
                ("replaceKey", { _ = try await store.replaceKey(samples.replacement(of: account), audit: taken) }),
                (
                    "reseal",
                    {
                        let keys = try await store.storedKeys(after: nil, limit: 1)
                        let resealed = keys.map { key in
                            StoredKey(
                                userID: key.userID, keyID: key.keyID, version: key.version,
                                sealed: samples.sealedKey())
                        }
                        try await store.reseal(resealed, audit: taken)
                    }
                ),
                ("putPlan", { _ = try await store.putPlan(gold, audit: taken) }),
                ("deletePlan", { _ = try await store.deletePlan(PlanID(rawValue: "pro"), audit: taken) }),
                (
                    "createWorkspace",
                    {
                        _ = try await store.createWorkspace(
                            id: .random(from: samples.random), name: "x", owner: user, createdAt: samples.at(0),
                            audit: taken)
                    }
                ),
                ("setPlan", { _ = try await store.setPlan(PlanID(rawValue: "pro"), of: workspace, audit: taken) }),
                (
                    "putMember",
                    {
                        _ = try await store.putMember(
                            Membership(workspaceID: workspace, userID: guest.user.id, role: .owner), audit: taken)
                    }
                ),
                ("removeMember", { _ = try await store.removeMember(guest.user.id, from: workspace, audit: taken) }),
                (
                    "startSession",
                    {
                        try await store.startSession(
                            samples.session(of: user), tokenDigest: samples.random.bytes(32), replacing: session.id,
                            audit: taken)
                    }
                ),
                ("endSession", { try await store.endSession(session.id, of: user, audit: taken) }),
                ("recordChange", { _ = try await store.recordChange(of: .everything, audit: taken) }),
            ]
            for (name, attempt) in attempts {
                await expect(.conflict) { try await attempt() }
                #expect(try await snapshot(store, user, workspace, samples) == before, "\(name)")
            }
        }
    }

    private let gold = Plan(id: PlanID(rawValue: "gold"), name: "Gold", features: [], hourlyLimit: 1, position: 9)

    /// Everything that those methods could have changed.
    private struct Snapshot: Equatable {
        var accounts: [Account]
        var keys: [StoredKey]
        var sessions: [Session]
        var plans: [Plan]
        var workspaceCount: Int
        var roles: [Role]
        var passwordHash: String?
        var newest: ChangeLogPosition
        var events: [AuditEvent]
    }

    private func snapshot(
        _ store: any Store, _ user: UserID, _ workspace: WorkspaceID, _ samples: Samples
    ) async throws -> Snapshot {
        Snapshot(
            accounts: try await store.accounts(offset: 0, limit: 100).page,
            keys: try await store.storedKeys(after: nil, limit: 100),
            sessions: try await store.sessions(of: user),
            plans: try await store.plans(),
            workspaceCount: try await store.workspaces(offset: 0, limit: 100).total,
            roles: try await store.members(of: workspace).map(\.role),
            passwordHash: try await store.passwordHash(of: user),
            newest: try await store.newestPosition(samples),
            events: try await store.auditEvents(userID: nil, limit: 100))
    }
}
