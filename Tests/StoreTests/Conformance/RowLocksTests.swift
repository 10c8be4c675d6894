import Keybearer
import KeybearerPostgres
import Synchronization
import TestSupport
import Testing

/// ``RowLocks``: every transaction locks in one order, so that none ever waits for one that waits for it.
@Suite struct RowLocksTests {
    private static let tasks = 8
    private static let kinds = 22
    /// How long at least, and how long until every kind of change was made.
    private static let span: Duration = .seconds(5)
    private static let longest: Duration = .seconds(60)

    /// A few accounts that everybody works on; one that was deleted is replaced by a new one.
    private final class Field: Sendable {
        let holder: UserID
        let samples: Samples
        private let subjects: Lock<[AuthorityConformance.Subject]>

        init(_ subjects: [AuthorityConformance.Subject], holder: UserID, samples: Samples) {
            (self.holder, self.samples) = (holder, samples)
            self.subjects = Lock(subjects)
        }

        var all: [AuthorityConformance.Subject] { subjects.withLock { $0 } }

        func pick() -> AuthorityConformance.Subject { subjects.withLock { $0[samples.random.below($0.count)] } }

        func replace(_ old: AuthorityConformance.Subject, with new: AuthorityConformance.Subject) {
            subjects.withLock { subjects in
                if let index = subjects.firstIndex(where: { $0.id == old.id }) { subjects[index] = new }
            }
        }
    }

    @Test(arguments: storesUnderTest)
    func mixedChangesOnTheSameAccountsNeverDeadlock(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples in
            let holder = try await first.addAccount(samples).user.id
            var subjects: [AuthorityConformance.Subject] = []
            for _ in 0..<3 { subjects.append(try await AuthorityConformance.makeSubject(first, holder, samples)) }
            let field = Field(subjects, holder: holder, samples: samples)
            let deadlocks = Counter()
            let done = (0..<Self.kinds).map { _ in Counter() }
            let start = ContinuousClock.now
            await withTaskGroup(of: Void.self) { group in
                for index in 0..<Self.tasks {
                    let store = index.isMultiple(of: 2) ? first : second
                    group.addTask {
                        while true {
                            let elapsed = ContinuousClock.now - start
                            let isDone = elapsed >= Self.span && done.allSatisfy { $0.value > 0 }
                            if isDone || elapsed >= Self.longest { break }
                            // What has not been done yet comes more often: it may need an account that others spare.
                            let missing = done.indices.filter { done[$0].value == 0 }
                            let isLate = elapsed >= Self.span && !missing.isEmpty && samples.random.below(2) == 0
                            let kind =
                                isLate
                                ? missing[samples.random.below(missing.count)] : samples.random.below(Self.kinds)
                            do {
                                try await Self.step(kind, store, field)
                                done[kind].increment()
                            } catch let error as KeybearerError {
                                if error.storeFailure?.code?.contains("40P01") == true { deadlocks.increment() }
                                #expect(error.code != .internalError, "\(error.cause.map { "\($0)" } ?? "")")
                            } catch {
                                Issue.record("\(error)")
                            }
                        }
                    }
                }
            }
            #expect(deadlocks.value == 0)
            #expect(done.allSatisfy { $0.value > 0 }, "\(done.map(\.value)) of each kind")
        }
    }

    private static func step(_ kind: Int, _ store: any Store, _ field: Field) async throws {
        let (subject, samples) = (field.pick(), field.samples)
        let event = samples.event(.planPut, user: subject.id)
        switch kind {
        case 0:
            _ = try await store.setPassword(
                "another", of: subject.id, keeping: subject.session.id, by: subject.bySession, audit: event)
        case 1: _ = try await store.setPassword("another", of: subject.id, keeping: nil, audit: event)
        case 2: _ = try await store.setStatus(.disabled, of: subject.id, audit: event)
        case 3, 4: _ = try await store.setStatus(.active, of: subject.id, audit: event)
        case 5:
            _ = try await store.deleteAccount(subject.id, audit: event)
            field.replace(subject, with: try await AuthorityConformance.makeSubject(store, field.holder, samples))
        case 6, 7: try await changeMembers(kind == 6, subject, store, field, event)
        case 8: _ = try await replaceKey(subject, by: subject.bySession, store, event)
        case 9: _ = try await replaceKey(subject, by: subject.byKey, store, event)
        case 10: _ = try await replaceKey(subject, by: .commandLine, store, event)
        case 11:
            try await store.endSession(subject.otherSession.id, of: subject.id, by: subject.bySession, audit: event)
        case 12:
            try await store.startSession(
                samples.session(of: subject.id), tokenDigest: samples.random.bytes(32), replacing: subject.session.id,
                audit: event)
        case 13:
            let keys = try await store.storedKeys(after: nil, limit: 10)
            try await store.recordLastUses(
                keys.shuffled().map { key in
                    KeyUse(
                        userID: key.userID, keyID: key.keyID,
                        use: LastUse(at: samples.at(Int64(samples.random.below(1_000))), address: Samples.address))
                }, now: samples.at(1_000))
        case 14:
            let keys = try await store.storedKeys(after: nil, limit: 10)
            try await store.reseal(
                keys.shuffled().map { key in
                    StoredKey(
                        userID: key.userID, keyID: key.keyID, version: key.version, sealed: samples.sealedKey())
                }, audit: event)
        case 15: try await reserve(store, field)
        case 16: try await store.removeOldRequests(now: samples.at(24 * 3_600 + 2))
        case 17:
            // Those that began first have ended then, and those that began a second later have not.
            var policy = SessionPolicy()
            policy.absolute = .seconds(10)
            try await store.removeExpiredSessions(policy, now: samples.at(11))
        case 18:
            let team = Plan(id: PlanID(rawValue: "team"), name: "Team", features: [], hourlyLimit: 10, position: 9)
            _ = try await store.putPlan(team, audit: event)
            _ = try await store.deletePlan(team.id, audit: samples.event(.planDeleted))
        case 19:
            let id = WorkspaceID.random(from: samples.random)
            _ = try await store.createWorkspace(
                id: id, name: "Team", owner: subject.id, createdAt: samples.at(1), audit: event)
            let write = StoreWrite(
                .deleteWorkspace(samples.deletion(of: id)), audit: samples.event(.workspaceDeleted, workspace: id))
            _ = try await store.perform([write], by: .commandLine)
        case 20: try await changeServiceAccounts(subject, store, field)
        default:
            _ = try await store.setPlan(
                PlanID(rawValue: "pro"), of: subject.workspace, by: subject.bySession,
                needs: Requirement(.changePlan, in: subject.workspace), audit: event)
        }
    }

    /// Service accounts: one that a member of a shared workspace changes, and one that goes with its workspace.
    private static func changeServiceAccounts(
        _ subject: AuthorityConformance.Subject, _ store: any Store, _ field: Field
    ) async throws {
        let (samples, id) = (field.samples, WorkspaceID.random(from: field.samples.random))
        let new = samples.newServiceAccount(in: subject.workspace)
        _ = try await store.makeServiceAccount(new, samples)
        do {
            try await changeByMember(new.user.id, subject, store, samples)
        } catch {
            _ = try await store.deleteAccount(new.user.id, audit: samples.event(.userDeleted, user: new.user.id))
            throw error
        }
        _ = try await store.createWorkspace(
            id: id, name: "Team", owner: field.holder, createdAt: samples.at(1),
            audit: samples.event(.workspaceCreated))
        let other = try await store.makeServiceAccount(samples.newServiceAccount(in: id), samples)
        _ = try await store.perform(
            [
                StoreWrite(
                    .deleteWorkspace(samples.deletion(of: id, with: [other.user.id])),
                    audit: samples.event(.workspaceDeleted, workspace: id))
            ], by: .commandLine)
        _ = try await store.deleteAccount(new.user.id, audit: samples.event(.userDeleted, user: new.user.id))
    }

    private static func changeByMember(
        _ id: UserID, _ subject: AuthorityConformance.Subject, _ store: any Store, _ samples: Samples
    ) async throws {
        let workspace = subject.workspace
        _ = try await store.changeServiceAccount(
            StoreWrite(.setStatus(.disabled, of: id), audit: samples.event(.userDisabled, user: id)),
            by: subject.bySession, needs: Requirement(.manageServiceAccounts, in: workspace, of: id))
        do {
            _ = try await store.revealKey(
                of: id, by: subject.bySession, needs: Requirement(.revealServiceKey, in: workspace, of: id),
                audit: samples.event(.keyRevealed, user: id))
        } catch let error as KeybearerError where error.code == .featureLocked {
            // Another task moves the workspace between plans.
        }
        _ = try await store.replaceKey(
            KeyReplacement(userID: id, key: samples.key(version: 2), sealed: samples.sealedKey(), request: nil),
            by: subject.bySession, needs: Requirement(.regenerateServiceKey, in: workspace, of: id),
            audit: samples.event(.keyRegenerated, user: id))
    }

    /// For all accounts at the same time, as a busy node does.
    private static func reserve(_ store: any Store, _ field: Field) async throws {
        _ = try await store.reserve(
            field.all.map { QuotaRequest.reserve($0.id, count: 1, limit: 1_000, life: .seconds(10)) },
            now: field.samples.at(0))
    }

    private static func changeMembers(
        _ adds: Bool, _ subject: AuthorityConformance.Subject, _ store: any Store, _ field: Field, _ event: AuditEvent
    ) async throws {
        let other = field.pick()
        if adds {
            _ = try await store.putMember(
                Membership(workspaceID: subject.workspace, userID: other.id, role: .owner), audit: event)
        } else {
            _ = try await store.removeMember(other.id, from: subject.workspace, audit: event)
        }
    }

    /// From the version that is there, as a request would.
    private static func replaceKey(
        _ subject: AuthorityConformance.Subject, by authority: Authority, _ store: any Store, _ event: AuditEvent
    ) async throws {
        guard let account = try await store.account(id: subject.id) else { return }
        _ = try await store.replaceKey(
            subject.samples.replacement(of: account), by: authority, needs: nil, audit: event)
    }
}
