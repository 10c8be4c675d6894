import Keybearer
import TestSupport
import Testing

/// Every rule of the store that two callers could break together, raced on two connections.
@Suite struct RaceConformance {
    private static let rounds = 20

    /// Runs both at the same moment.
    ///
    /// - Returns: what each threw; nil for one that succeeded.
    private func race(
        _ first: @escaping @Sendable () async throws -> Void, _ second: @escaping @Sendable () async throws -> Void
    ) async -> [ErrorCode?] {
        await withTaskGroup(of: (Int, ErrorCode?).self) { group in
            for (index, body) in [first, second].enumerated() {
                group.addTask {
                    do {
                        try await body()
                        return (index, nil)
                    } catch {
                        return (index, (error as? KeybearerError)?.code ?? .internalError)
                    }
                }
            }
            return await group.reduce(into: [nil, nil]) { $0[$1.0] = $1.1 }
        }
    }

    @Test(arguments: storesUnderTest)
    func anAddressIsTakenOnce(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples async throws in
            for round in 0..<Self.rounds {
                let email = "ada\(round)@example.com"
                let (one, two) = (samples.newAccount(email: email), samples.newAccount(email: email))
                let audits = [samples.event(.userCreated), samples.event(.userCreated)]
                let outcomes = await race(
                    { _ = try await first.createAccount(one, audit: audits[0]) },
                    { _ = try await second.createAccount(two, audit: audits[1]) })
                #expect(outcomes.count { $0 == nil } == 1 && outcomes.contains(.conflict), "\(outcomes)")
                #expect(try await first.accounts(offset: 0, limit: 100).total == round + 1)
            }
        }
    }

    @Test(arguments: storesUnderTest)
    func theLastOwnerNeitherLeavesNorIsLoweredNorDeleted(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples async throws in
            for round in 0..<Self.rounds {
                let one = try await first.addAccount(samples, after: Int64(round))
                let two = try await first.addAccount(samples, after: Int64(round))
                let guest = try await first.addAccount(samples, after: Int64(round))
                let workspace = one.workspaces[0].workspace.id
                for (account, role) in [(two, Role.owner), (guest, .member)] {
                    _ = try await first.putMember(
                        Membership(workspaceID: workspace, userID: account.user.id, role: role),
                        audit: samples.event(.memberAdded))
                }
                let audits = [samples.event(.memberRemoved), samples.event(.userDeleted)]
                let lowered = Membership(workspaceID: workspace, userID: one.user.id, role: .member)
                let outcomes = await race(
                    {
                        if round.isMultiple(of: 2) {
                            _ = try await first.removeMember(one.user.id, from: workspace, audit: audits[0])
                        } else {
                            _ = try await first.putMember(lowered, audit: audits[0])
                        }
                    }, { _ = try await second.deleteAccount(two.user.id, audit: audits[1]) })
                #expect(outcomes.count { $0 == nil } == 1 && outcomes.contains(.conflict), "\(outcomes)")
                let members = try await first.members(of: workspace)
                #expect(members.contains { $0.role == .owner })
            }
        }
    }

    @Test(arguments: storesUnderTest)
    func aSessionOfADisabledAccountNeverLives(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples async throws in
            for round in 0..<Self.rounds {
                let user = try await first.addAccount(samples, after: Int64(round)).user.id
                let session = samples.session(of: user)
                let digest = samples.random.bytes(32)
                let audits = [samples.event(.sessionStarted), samples.event(.userDisabled)]
                let outcomes = await race(
                    {
                        try await first.startSession(
                            session, tokenDigest: digest, replacing: nil, audit: audits[0])
                    }, { _ = try await second.setStatus(.disabled, of: user, audit: audits[1]) })
                #expect(outcomes[1] == nil)
                #expect(outcomes[0] == nil || outcomes[0] == .notFound)
                #expect(try await first.sessions(of: user).isEmpty, "\(outcomes)")
            }
        }
    }

    @Test(arguments: storesUnderTest)
    func nothingIsSealedUnderAMasterKeyThatIsBeingRetired(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples async throws in
            for round in 0..<Self.rounds {
                let account = try await first.addAccount(samples, after: Int64(round))
                let id = MasterKeyID(rawValue: "mk_round\(round)")
                let replacement = KeyReplacement(
                    userID: account.user.id, key: samples.key(version: 2), sealed: samples.sealedKey(under: id),
                    request: nil)
                let audits = [samples.event(.keyRegenerated), samples.event(.masterKeysChanged)]
                let outcomes = await race(
                    { _ = try await first.replaceKey(replacement, audit: audits[0]) },
                    { try await second.retireMasterKeys([id], audit: audits[1]) })
                #expect(outcomes[1] == nil)
                // It came before the retirement, which then finds it to seal again; or it was refused.
                let isSealed = try await first.sealedKeyCounts()[id] == 1
                #expect(outcomes[0] == (isSealed ? nil : .unavailable))
                let late = KeyReplacement(
                    userID: account.user.id, key: samples.key(version: isSealed ? 3 : 2),
                    sealed: samples.sealedKey(under: id), request: nil)
                await expect(.unavailable) {
                    _ = try await second.replaceKey(late, audit: samples.event(.keyRegenerated))
                }
            }
        }
    }

    @Test(arguments: storesUnderTest)
    func aKeyOfADeletedAccountIsNotReplaced(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples async throws in
            for round in 0..<Self.rounds {
                let account = try await first.addAccount(samples, after: Int64(round))
                let replacement = samples.replacement(of: account)
                let audits = [samples.event(.keyRegenerated), samples.event(.userDeleted)]
                let outcomes = await race(
                    { _ = try await first.replaceKey(replacement, audit: audits[0]) },
                    { _ = try await second.deleteAccount(account.user.id, audit: audits[1]) })
                #expect(outcomes == [nil, nil])
                #expect(try await first.account(id: account.user.id) == nil)
                #expect(try await first.account(keyDigests: [replacement.sealed.digest]) == nil)
            }
        }
    }
}
