import Keybearer
import KeybearerSQL
import TestSupport
import Testing

/// The ``WriteStore`` on every engine: one write or many, each with its audit row, its number and its refusal.
@Suite struct WriteConformance {
    @Test(arguments: storesUnderTest)
    func oneRefusedWriteLeavesTheOthers(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples in
            let taken = try await first.add(samples.newAccount(email: "taken@example.com", externalID: "42"), samples)
            let before = try await first.newestPosition(samples)
            let nobody = UserID.random(from: samples.random)
            let new = (1...3).map { samples.newAccount(email: "new\($0)@example.com", externalID: "new\($0)") }
            let writes = [
                samples.create(new[0]), samples.create(samples.newAccount(email: "taken@example.com")),
                samples.create(samples.newAccount(externalID: "42")), samples.create(new[1]),
                samples.rename(taken.user.id, "Eve"), samples.rename(nobody, "Eve"),
                samples.write(.deletePlan(PlanID(rawValue: "none"))), samples.write(.setStatus(.disabled, of: nobody)),
                samples.write(.removeMember(nobody, from: taken.workspaces[0].workspace.id)), samples.create(new[2]),
            ]
            let (results, position) = await applied(try await first.perform(writes, by: .commandLine))
            #expect(
                results.map(\.code) == [
                    nil, .conflict, .conflict, nil, nil, .notFound, .notFound, .notFound, .notFound, nil,
                ])
            for account in new {
                #expect(try await second.account(id: account.user.id)?.user.externalID == account.user.externalID)
            }
            #expect(try await second.accounts(offset: 0, limit: 100).total == 4)
            #expect(try await second.account(id: taken.user.id)?.user.name == "Eve")
            // Nobody has to hear of a new account, and what was refused has neither number nor event.
            #expect(position.number == before.number + 1)
            #expect(try await second.changes(after: before, limit: 10)?.map(\.subject) == [.user(taken.user.id)])
            #expect(try await second.auditEvents(userID: nil, limit: 100).count == 1 + 4)
        }
    }

    @Test(arguments: storesUnderTest)
    func aWriteAloneThrowsItsRefusal(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let account = try await store.addAccount(samples)
            let before = try await store.newestPosition(samples)
            await expect(.notFound) {
                _ = try await store.perform([samples.rename(.random(from: samples.random), "Eve")], by: .commandLine)
            }
            await expect(.conflict) {
                let write = samples.create(samples.newAccount(email: account.user.email.rawValue))
                _ = try await store.perform([write], by: .commandLine)
            }
            #expect(try await store.newestPosition(samples) == before)
            #expect(try await store.auditEvents(userID: nil, limit: 10).count == 1)
        }
    }

    @Test(arguments: storesUnderTest)
    func theNumbersOfATransactionAreConsecutive(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples in
            var accounts: [Account] = []
            for place in 0..<40 { accounts.append(try await first.addAccount(samples, after: Int64(place))) }
            let before = try await first.newestPosition(samples)
            let users = accounts.map(\.user.id)
            let batches = (0..<8).map { part in users[(part * 5)..<(part * 5 + 5)].map { samples.rename($0, "Eve") } }
            let positions = try await withThrowingTaskGroup(of: (ChangeLogPosition, [UserID]).self) { group in
                for (part, batch) in batches.enumerated() {
                    let store = part.isMultiple(of: 2) ? first : second
                    let named = Array(users[(part * 5)..<(part * 5 + 5)])
                    group.addTask {
                        (await applied(try await store.perform(batch, by: .commandLine)).position, named)
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            let changes = try #require(try await second.changes(after: before, limit: 100))
            #expect(changes.map(\.position.number) == Array(before.number + 1...before.number + 40))
            #expect(Set(changes.map(\.position.nonce)).count == 40)
            for (position, named) in positions {
                // The last of the block is the one that is waited for.
                let end = Int(position.number - before.number)
                #expect(changes[(end - 5)..<end].map(\.subject) == named.map { .user($0) })
                #expect(changes[end - 1].position == position)
            }
            // A node that is in the middle of a block goes on there.
            #expect(try await first.changes(after: changes[6].position, limit: 2) == Array(changes[7..<9]))
        }
    }

    @Test(arguments: storesUnderTest)
    func aBlockAcrossAThousandRemovesOldChanges(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let store = try #require(store as? SQLStore)
            var users: [UserID] = []
            for _ in 0..<6 { users.append(try await store.addAccount(samples).user.id) }
            // As a copy begins a history: 10,000 are kept behind the newest.
            let start = ChangeLogPosition(number: 10_997, nonce: "start")
            try store.engine.withCopyWriter { try store.engine.beginHistory(at: start, samples.at(0), $0) }
            let old = try await store.newestPosition(samples)
            let renamed = users.map { samples.rename($0, "Eve") }
            let (_, position) = await applied(try await store.perform(renamed, by: .commandLine))
            #expect(position.number == old.number + 6 && position.number / 1_000 != old.number / 1_000)
            #expect(try await store.changes(after: old, limit: 10)?.count == 6)
            let table = try #require(CopiedTable.all.first { $0.name == "users" })
            #expect(try await store.engine.read { try $0.rows(table.count)[0].requiredNumber("count") } == 6)
        }
    }

    @Test(arguments: storesUnderTest)
    func whatChangesNothingLeavesNothing(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples in
            let account = try await first.add(samples.newAccount(externalID: "42"), samples)
            let (user, workspace) = (account.user, account.workspaces[0].workspace)
            let before = try await first.newestPosition(samples)
            let same = [
                UserUpdate(id: user.id), UserUpdate(id: user.id, email: user.email, name: user.name),
                UserUpdate(id: user.id, version: 1, externalID: .set(ExternalID(rawValue: "42"))),
            ].map { samples.write(.updateUser($0)) }
            let others: [StoreWrite.Work] = [
                .updateWorkspace(WorkspaceUpdate(id: workspace.id, name: workspace.name, planID: workspace.planID)),
                .updateWorkspace(WorkspaceUpdate(id: workspace.id, isSuspended: false)),
                .setStatus(.active, of: user.id), .endSessions(of: user.id),
            ]
            for write in same + others.map({ samples.write($0) }) {
                _ = try await first.perform([write], by: .commandLine)
            }
            let (results, position) = await applied(try await second.perform(same, by: .commandLine))
            #expect(results.map(\.code) == [nil, nil, nil])
            #expect(position == before)
            #expect(try await second.account(id: user.id) == account)
            #expect(try await second.changes(after: before, limit: 10) == [])
            #expect(try await second.auditEvents(userID: nil, limit: 10).count == 1)
        }
    }

    @Test(arguments: storesUnderTest)
    func aStaleVersionIsRefused(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples in
            let account = try await first.addAccount(samples)
            let (user, workspace) = (account.user.id, account.workspaces[0].workspace.id)
            for version in 1...3 {
                let name = "Ada \(version)"
                for write in [
                    StoreWrite.Work.updateUser(UserUpdate(id: user, version: version, name: name)),
                    .updateWorkspace(WorkspaceUpdate(id: workspace, version: version, name: name)),
                ] {
                    _ = try await first.perform([samples.write(write)], by: .commandLine)
                    await expect(.conflict) { _ = try await second.perform([samples.write(write)], by: .commandLine) }
                }
                #expect(try await second.account(id: user)?.user.version == version + 1)
            }
            // Two that have seen the same: one of them changes it.
            for round in 4...13 {
                let writes = ["one", "two"].map { name in
                    samples.write(.updateUser(UserUpdate(id: user, version: round, name: "\(name) \(round)")))
                }
                let outcomes = await raced(
                    { try await first.perform([writes[0]], by: .commandLine) },
                    { try await second.perform([writes[1]], by: .commandLine) })
                #expect(outcomes.count { $0.code == nil } == 1 && outcomes.contains { $0.code == .conflict })
                #expect(try await first.account(id: user)?.user.version == round + 1)
            }
            // Another change than by this API counts, too.
            _ = try await first.setStatus(.disabled, of: user, audit: samples.event(.userDisabled))
            #expect(try await second.account(id: user)?.user.version == 15)
        }
    }

    @Test(arguments: storesUnderTest)
    func anAuthorityThatHasEndedWritesNothing(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples in
            let account = try await first.addAccount(samples)
            let now = Clocks.system.wall()
            var ids: [OperatorTokenID] = []
            for end in [-1, 3_600] as [Int64] {
                let token = OperatorToken(
                    id: .random(from: samples.random), name: "billing", scopes: [.writeUsers], createdAt: now,
                    expiresAt: now.advanced(by: .seconds(end)))
                ids.append(token.id)
                try await first.createOperatorToken(
                    token, digest: samples.random.bytes(32), audit: samples.event(.operatorTokenCreated))
            }
            let write = samples.write(.updateUser(UserUpdate(id: account.user.id, name: "Eve")), at: now)
            await expect(.unauthorized) { _ = try await second.perform([write], by: Authority(.operatorToken(ids[0]))) }
            #expect(try await first.account(id: account.user.id)?.user.name == "Ada", "its time was over")
            _ = try await second.perform([write], by: Authority(.operatorToken(ids[1])))
            try await first.revokeOperatorToken(ids[1], audit: samples.event(.operatorTokenRevoked))
            let back = [samples.rename(account.user.id, "Ada"), samples.rename(account.user.id, "Bob")]
            await expect(.unauthorized) { _ = try await second.perform(back, by: Authority(.operatorToken(ids[1]))) }
            #expect(try await first.account(id: account.user.id)?.user.name == "Eve", "it was revoked")
        }
    }
}

extension Samples {
    /// A write with an event of its own.
    func write(
        _ work: StoreWrite.Work, _ action: AuditEvent.Action = .userChanged, request: IdempotentRequest? = nil,
        at time: Timestamp = Samples.start
    ) -> StoreWrite {
        let audit = AuditEvent(id: .random(from: random), at: time, actor: .system, action: action)
        return StoreWrite(work, audit: audit, request: request)
    }

    func create(_ new: NewAccount, request: IdempotentRequest? = nil) -> StoreWrite {
        StoreWrite(.createAccount(new), audit: event(.userCreated, user: new.user.id), request: request)
    }

    func rename(_ id: UserID, _ name: String, request: IdempotentRequest? = nil) -> StoreWrite {
        write(.updateUser(UserUpdate(id: id, name: name)), request: request)
    }

    /// A new account with an id of the product's.
    func newAccount(
        email: String? = nil, externalID: String, isEmailVerified: Bool = false, after seconds: Int64 = 0
    ) -> NewAccount {
        let plain = newAccount(email: email, after: seconds)
        let user = User(
            id: plain.user.id, email: plain.user.email, name: plain.user.name, createdAt: plain.user.createdAt,
            externalID: ExternalID(rawValue: externalID), isEmailVerified: isEmailVerified, hasPassword: true,
            updatedAt: plain.user.createdAt)
        return NewAccount(
            user: user, passwordHash: plain.passwordHash, key: plain.key, sealedKey: plain.sealedKey,
            workspaceID: plain.workspaceID, workspaceName: plain.workspaceName)
    }

    /// What a program's request is known by.
    func request(_ key: UInt8, asked: UInt8 = 1, scope: String = "opt_1") -> IdempotentRequest {
        IdempotentRequest(
            scope: scope, keyDigest: [UInt8](repeating: key, count: 32),
            requestDigest: [UInt8](repeating: asked, count: 32))
    }
}

extension Result where Failure == KeybearerError {
    /// What refused it; nil where it succeeded.
    var code: ErrorCode? {
        if case .failure(let error) = self { error.code } else { nil }
    }
}

/// Runs both at the same moment.
func raced<Value: Sendable>(
    _ first: @escaping @Sendable () async throws -> Value, _ second: @escaping @Sendable () async throws -> Value
) async -> [Result<Value, KeybearerError>] {
    @Sendable func run(_ body: @Sendable () async throws -> Value) async -> Result<Value, KeybearerError> {
        do {
            return .success(try await body())
        } catch {
            return .failure(error as? KeybearerError ?? KeybearerError(.internalError, "\(error)"))
        }
    }
    async let one = run(first)
    async let two = run(second)
    return [await one, await two]
}
