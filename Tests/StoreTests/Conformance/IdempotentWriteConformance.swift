import Keybearer
import TestSupport
import Testing

/// Each ``StoreWrite`` on every engine when it comes twice, and two that want the same.
@Suite struct IdempotentWriteConformance {
    private static let rounds = 15

    @Test(arguments: storesUnderTest)
    func theSameRequestIsDoneOnce(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples in
            let account = try await first.addAccount(samples)
            let user = account.user.id
            let request = samples.request(1)
            _ = try await first.perform([samples.rename(user, "Eve", request: request)], by: .commandLine)
            let position = try await first.newestPosition(samples)
            let (again, _) = await applied(
                try await second.perform([samples.rename(user, "Eve", request: request)], by: .commandLine))
            guard case .replayed(let id) = try again[0].get() else {
                throw KeybearerError(.internalError, "done twice")
            }
            #expect(id == user.rawValue)
            #expect(try await second.resource(of: request, now: samples.at(1)) == user.rawValue)
            #expect(try await second.newestPosition(samples) == position)
            #expect(try await second.account(id: user)?.user.version == 2)
            #expect(try await second.auditEvents(userID: nil, limit: 10).count == 2)
            // Another request with the key; the same with another key, and of another program.
            await expect(.validationFailed) {
                let other = samples.rename(user, "Bob", request: samples.request(1, asked: 2))
                _ = try await second.perform([other], by: .commandLine)
            }
            #expect(try await second.resource(of: samples.request(1, asked: 2), now: samples.at(1)) == nil)
            for (name, other) in [("Bob", samples.request(2)), ("Cid", samples.request(1, scope: "opt_2"))] {
                _ = try await second.perform([samples.rename(user, name, request: other)], by: .commandLine)
                #expect(try await first.account(id: user)?.user.name == name)
            }
        }
    }

    @Test(arguments: storesUnderTest)
    func whatWasRefusedIsNotRemembered(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let taken = try await store.add(samples.newAccount(email: "taken@example.com", externalID: "1"), samples)
            let new = samples.newAccount(email: "taken@example.com")
            let writes = [
                samples.create(new, request: samples.request(1)),
                samples.rename(taken.user.id, "Eve", request: samples.request(2)),
            ]
            let (results, _) = await applied(try await store.perform(writes, by: .commandLine))
            #expect(results.map(\.code) == [.conflict, nil])
            await expect(.conflict) { _ = try await store.perform([writes[0]], by: .commandLine) }
            _ = try await store.deleteAccount(taken.user.id, audit: samples.event(.userDeleted))
            let (again, _) = await applied(try await store.perform([writes[0]], by: .commandLine))
            guard case .account = try again[0].get() else { throw KeybearerError(.internalError, "not done") }
        }
    }

    @Test(arguments: storesUnderTest)
    func aReplayNamesWhatWasMade(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let owner = try await store.addAccount(samples).user.id
            let id = WorkspaceID.random(from: samples.random)
            let new = NewWorkspace(
                id: id, name: "Team", externalID: nil, planID: nil, owner: owner, createdAt: samples.at(1))
            let write = StoreWrite(
                .createWorkspace(new), audit: samples.event(.workspaceCreated, user: owner, workspace: id),
                request: samples.request(1))
            _ = try await store.perform([write], by: .commandLine)
            let (again, _) = await applied(try await store.perform([write], by: .commandLine))
            guard case .replayed(let resource) = try again[0].get() else {
                throw KeybearerError(.internalError, "done twice")
            }
            #expect(resource == id.rawValue, "the workspace, and not its Owner")
        }
    }

    @Test(arguments: storesUnderTest)
    func theSameRequestAtTheSameMomentDoublesNothing(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples in
            let owner = try await first.addAccount(samples).user.id
            for round in 1...Self.rounds {
                let request = samples.request(UInt8(round))
                // Ids are made for each attempt: nothing but the key says that it is the same workspace.
                let writes = (0..<2).map { _ in
                    let id = WorkspaceID.random(from: samples.random)
                    return StoreWrite(
                        .createWorkspace(
                            NewWorkspace(
                                id: id, name: "Team", externalID: nil, planID: nil, owner: owner,
                                createdAt: samples.at(1))),
                        audit: samples.event(.workspaceCreated, user: owner, workspace: id), request: request)
                }
                let outcomes = await raced(
                    { await applied(try await first.perform([writes[0]], by: .commandLine)).value[0] },
                    { await applied(try await second.perform([writes[1]], by: .commandLine)).value[0] })
                var (made, replayed): ([String], [String]) = ([], [])
                for outcome in outcomes {
                    switch try outcome.get().get() {
                    case .workspace(let workspace, _): made.append(workspace.id.rawValue)
                    case .replayed(let resource): replayed.append(resource)
                    default: Issue.record("neither made nor replayed")
                    }
                }
                #expect(made.count == 1 && replayed == made)
                #expect(try await first.account(id: owner)?.workspaces.count == 1 + round)
            }
        }
    }

    @Test(arguments: storesUnderTest)
    func aProgramsKeyReplacesOneOfTwoKeys(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples in
            for round in 1...Self.rounds {
                let accounts = [try await first.addAccount(samples), try await first.addAccount(samples)]
                // One program sends the same Idempotency-Key for two accounts at the same moment.
                let writes = accounts.enumerated().map { place, account in
                    let plain = samples.replacement(of: account)
                    let request = samples.request(UInt8(round), asked: UInt8(place))
                    return samples.write(
                        .replaceKey(
                            KeyReplacement(
                                userID: plain.userID, key: plain.key, sealed: plain.sealed, request: request)),
                        .keyRegenerated)
                }
                let outcomes = await raced(
                    { await applied(try await first.perform([writes[0]], by: .commandLine)).value[0] },
                    { await applied(try await second.perform([writes[1]], by: .commandLine)).value[0] })
                let keys = try outcomes.map { outcome in
                    guard case .key(let outcome) = try outcome.get().get() else {
                        return KeyReplacementOutcome.noSuchUser
                    }
                    return outcome
                }
                #expect(keys.contains(.replaced) && keys.contains(.anotherRequest), "\(keys)")
                var versions: [Int?] = []
                for account in accounts { versions.append(try await first.key(of: account.user.id)?.version) }
                #expect(Set(versions) == [1, 2])
            }
        }
    }

    @Test(arguments: storesUnderTest)
    func aKeyThatMovedLeavesTheRequestFree(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let account = try await store.addAccount(samples)
            let digest = samples.random.bytes(32)
            _ = try await store.replaceKey(samples.replacement(of: account), audit: samples.event(.keyRegenerated))
            let stale = samples.replacement(of: account, idempotencyDigest: digest)
            let event = samples.event(.keyRegenerated)
            #expect(try await store.replaceKey(stale, audit: event).value == .versionMoved)
            let now = try #require(try await store.account(id: account.user.id))
            let again = samples.replacement(of: now, idempotencyDigest: digest)
            #expect(try await store.replaceKey(again, audit: event).value == .replaced)
        }
    }

    @Test(arguments: storesUnderTest)
    func anAddressOrExternalIDIsTakenOnce(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples in
            _ = try await first.addAccount(samples)
            for round in 0..<Self.rounds {
                let (email, external) = ("ada\(round)@example.com", "ext\(round)")
                let isEmail = round.isMultiple(of: 2)
                let batches = (0..<2).map { _ in
                    [
                        samples.create(samples.newAccount()),
                        samples.create(
                            samples.newAccount(
                                email: isEmail ? email : nil,
                                externalID: isEmail ? "\(samples.random.bytes(8))" : external)),
                        samples.create(samples.newAccount()),
                    ]
                }
                let outcomes = await raced(
                    { await applied(try await first.perform(batches[0], by: .commandLine)).value },
                    { await applied(try await second.perform(batches[1], by: .commandLine)).value })
                // The middle one of one batch fails, alone.
                let codes = try outcomes.map { try $0.get().map(\.code) }
                #expect(codes.contains([nil, nil, nil]) && codes.contains([nil, .conflict, nil]), "\(codes)")
                #expect(try await first.accounts(offset: 0, limit: 1).total == 1 + (round + 1) * 5)
            }
        }
    }

    @Test(arguments: storesUnderTest)
    func anUnverifiedAccountIsTakenOverWhole(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples in
            for isVerified in [false, true] {
                let old = try await first.add(
                    samples.newAccount(externalID: "old\(isVerified)", isEmailVerified: isVerified), samples)
                let digest = samples.random.bytes(32)
                try await first.startSession(
                    samples.session(of: old.user.id), tokenDigest: digest, replacing: nil,
                    audit: samples.event(.sessionStarted))
                let replacement = samples.replacement(of: old)
                let update = UserUpdate(
                    id: old.user.id, version: 1, externalID: .set(ExternalID(rawValue: "new\(isVerified)")),
                    takeover: replacement)
                _ = try await second.perform([samples.write(.updateUser(update), .userAdopted)], by: .commandLine)
                let new = try #require(try await first.account(id: old.user.id))
                #expect(new.user.externalID?.rawValue == "new\(isVerified)")
                #expect(new.user.isEmailVerified == isVerified && new.user.hasPassword == isVerified)
                #expect(try await first.session(tokenDigest: digest) == nil || isVerified)
                #expect(try await first.passwordHash(of: old.user.id)?.isEmpty == !isVerified)
                #expect((new.key == replacement.key) == !isVerified)
                #expect((new.key == old.key) == isVerified)
                #expect(try await first.pastKeys(of: old.user.id).count == (isVerified ? 0 : 1))
            }
        }
    }

    @Test(arguments: storesUnderTest)
    func twoTakeoversAndARegenerateLeaveOneKey(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples in
            for round in 0..<Self.rounds {
                let old = try await first.addAccount(samples)
                let updates = (1...2).map { number in
                    UserUpdate(
                        id: old.user.id, version: 1, externalID: .set(ExternalID(rawValue: "r\(round).\(number)")),
                        takeover: samples.replacement(of: old))
                }
                let writes = updates.map { samples.write(.updateUser($0), .userAdopted) }
                let regenerated = samples.write(.replaceKey(samples.replacement(of: old)), .keyRegenerated)
                let other = round.isMultiple(of: 2) ? writes[1] : regenerated
                let outcomes = await raced(
                    { await applied(try await first.perform([writes[0]], by: .commandLine)).value[0] },
                    { await applied(try await second.perform([other], by: .commandLine)).value[0] })
                let new = try #require(try await first.account(id: old.user.id))
                #expect(new.key.version == 2, "\(outcomes.map(\.code))")
                #expect(try await first.pastKeys(of: old.user.id).count == 1)
            }
        }
    }
}
