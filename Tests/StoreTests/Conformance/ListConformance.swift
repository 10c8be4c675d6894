import Keybearer
import TestSupport
import Testing

/// The lists of the ``WriteStore`` on every engine: stable while rows come and go, with each filter.
@Suite struct ListConformance {
    /// Reads a list to its end, in parts.
    private func all(
        _ store: any Store, _ filter: UserFilter = UserFilter(), by size: Int = 2,
        between: (Int) async throws -> Void = { _ in }
    ) async throws -> [UserID] {
        var (ids, place, part): ([UserID], ListPlace?, Int) = ([], nil, 0)
        while true {
            let page = try await store.accounts(matching: filter, after: place, limit: size)
            #expect(page.count <= size)
            ids += page.map(\.user.id)
            guard page.count == size, let last = page.last else { return ids }
            place = ListPlace(createdAt: last.user.createdAt, id: last.user.id.rawValue)
            try await between(part)
            part += 1
        }
    }

    @Test(arguments: storesUnderTest)
    func nothingIsSkippedOrRepeatedWhileAccountsComeAndGo(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples in
            var accounts: [Account] = []
            // Many of the same moment: their ids decide.
            for place in 0..<12 { accounts.append(try await first.addAccount(samples, after: Int64(place / 5))) }
            let ordered = accounts.sorted {
                ($0.user.createdAt, $0.user.id.rawValue) < ($1.user.createdAt, $1.user.id.rawValue)
            }.map(\.user.id)
            for size in [1, 2, 5, 12, 13] { #expect(try await all(first, by: size) == ordered) }
            // Those that were shown go, the last of a part among them, and others come behind the place.
            var added: [UserID] = []
            let seen = try await all(second, by: 3) { part in
                guard part < 2 else { return }
                for id in ordered[(part * 3)..<(part * 3 + 3)] {
                    _ = try await first.deleteAccount(id, audit: samples.event(.userDeleted))
                }
                added.append(try await first.addAccount(samples, after: 10 + Int64(part)).user.id)
                // One that comes before the place is not in this list any more.
                _ = try await first.addAccount(samples, after: -10)
            }
            #expect(seen == ordered + added)
        }
    }

    @Test(arguments: storesUnderTest)
    func eachFilterAloneAndTogether(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            var accounts: [Account] = []
            for place in 0..<5 { accounts.append(try await store.addAccount(samples, after: Int64(place))) }
            let (ids, pro) = (accounts.map(\.user.id), PlanID(rawValue: "pro"))
            let team = accounts[1].workspaces[0].workspace.id
            _ = try await store.setPlan(pro, of: team, audit: samples.event(.planChanged))
            _ = try await store.putMember(
                Membership(workspaceID: team, userID: ids[3], role: .member), audit: samples.event(.memberAdded))
            _ = try await store.setStatus(.disabled, of: ids[3], audit: samples.event(.userDisabled, after: 100))
            _ = try await store.perform(
                [samples.write(.updateUser(UserUpdate(id: ids[2], name: "Eve")), at: samples.at(200))],
                by: .commandLine)
            let cases: [((inout UserFilter) -> Void, [Int])] = [
                ({ _ in }, [0, 1, 2, 3, 4]), ({ $0.status = .disabled }, [3]), ({ $0.status = .active }, [0, 1, 2, 4]),
                ({ $0.workspaceID = team }, [1, 3]), ({ $0.planID = pro }, [1, 3]),
                ({ $0.planID = PlanID(rawValue: "free") }, [0, 2, 3, 4]), ({ $0.planID = PlanID(rawValue: "x") }, []),
                ({ ($0.workspaceID, $0.planID) = (team, PlanID(rawValue: "free")) }, []),
                ({ ($0.workspaceID, $0.status) = (team, .active) }, [1]),
                ({ $0.createdAfter = samples.at(3) }, [3, 4]),
                ({ $0.updatedAfter = samples.at(100) }, [2, 3]), ({ $0.updatedAfter = samples.at(101) }, [2]),
                ({ $0.workspaceID = .random(from: samples.random) }, []),
            ]
            for (number, (change, places)) in cases.enumerated() {
                var filter = UserFilter()
                change(&filter)
                #expect(try await all(store, filter, by: 1) == places.map { ids[$0] }, "case \(number)")
                #expect(try await all(store, filter, by: 10) == places.map { ids[$0] }, "case \(number)")
            }
            // An account with several workspaces is one entry, with all of them.
            var filter = UserFilter()
            filter.workspaceID = team
            let page = try await store.accounts(matching: filter, after: nil, limit: 10)
            #expect(page.map(\.workspaces.count) == [1, 2])
        }
    }

    @Test(arguments: storesUnderTest)
    func workspacesByEachFilter(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            var (ids, owners): ([WorkspaceID], [UserID]) = ([], [])
            for place in 0..<4 {
                let account = try await store.addAccount(samples, after: Int64(place))
                owners.append(account.user.id)
                ids.append(account.workspaces[0].workspace.id)
            }
            let pro = PlanID(rawValue: "pro")
            let works: [StoreWrite.Work] = [
                .updateWorkspace(WorkspaceUpdate(id: ids[1], planID: pro)),
                .updateWorkspace(WorkspaceUpdate(id: ids[2], isSuspended: true)),
                .updateWorkspace(WorkspaceUpdate(id: ids[3], externalID: .set(ExternalID(rawValue: "team")))),
                .putMember(Membership(workspaceID: ids[1], userID: owners[0], role: .member)),
            ]
            _ = try await store.perform(works.map { samples.write($0, at: samples.at(50)) }, by: .commandLine)
            let cases: [((inout WorkspaceFilter) -> Void, [Int])] = [
                ({ _ in }, [0, 1, 2, 3]), ({ $0.planID = pro }, [1]), ({ $0.isSuspended = true }, [2]),
                ({ $0.isSuspended = false }, [0, 1, 3]), ({ $0.memberID = owners[0] }, [0, 1]),
                ({ $0.externalID = ExternalID(rawValue: "team") }, [3]),
                ({ ($0.externalID, $0.isSuspended) = (ExternalID(rawValue: "team"), true) }, []),
                ({ $0.createdAfter = samples.at(2) }, [2, 3]), ({ $0.updatedAfter = samples.at(50) }, [1, 2, 3]),
                ({ ($0.memberID, $0.planID) = (owners[0], pro) }, [1]),
            ]
            for (number, (change, places)) in cases.enumerated() {
                var filter = WorkspaceFilter()
                change(&filter)
                let found = try await store.workspaces(matching: filter, after: nil, limit: 10)
                #expect(found.map(\.workspace.id) == places.map { ids[$0] }, "case \(number)")
            }
            let all = try await store.workspaces(matching: WorkspaceFilter(), after: nil, limit: 10)
            #expect(all.map(\.memberCount) == [1, 2, 1, 1])
            #expect(all.map(\.plan.id) == all.map(\.workspace.planID) && all[1].plan.features.contains(.apiWebhooks))
            let place = ListPlace(createdAt: all[1].workspace.createdAt, id: all[1].workspace.id.rawValue)
            let rest = try await store.workspaces(matching: WorkspaceFilter(), after: place, limit: 1)
            #expect(rest.map(\.workspace.id) == [ids[2]])
        }
    }

    @Test(arguments: storesUnderTest)
    func whatTheProductCallsThem(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples in
            let account = try await first.add(samples.newAccount(externalID: "Team"), samples)
            let workspace = account.workspaces[0].workspace.id
            let update = WorkspaceUpdate(id: workspace, externalID: .set(ExternalID(rawValue: "Team")))
            _ = try await first.perform([samples.write(.updateWorkspace(update))], by: .commandLine)
            #expect(try await second.account(externalID: ExternalID(rawValue: "Team"))?.user.id == account.user.id)
            #expect(try await second.workspaceID(externalID: ExternalID(rawValue: "Team")) == workspace)
            // Byte for byte.
            for other in ["team", "Team ", "%", "Te_m", ""] {
                #expect(try await second.account(externalID: ExternalID(rawValue: other)) == nil)
                #expect(try await second.workspaceID(externalID: ExternalID(rawValue: other)) == nil)
            }
            // A name that is free again can be given to another.
            let cleared = samples.write(.updateUser(UserUpdate(id: account.user.id, externalID: .cleared)))
            let other = samples.newAccount(externalID: "Team")
            let (results, _) = await applied(
                try await first.perform([cleared, samples.create(other)], by: .commandLine))
            #expect(results.map(\.code) == [nil, nil])
            #expect(try await second.account(externalID: ExternalID(rawValue: "Team"))?.user.id == other.user.id)
        }
    }

    @Test(arguments: storesUnderTest)
    func auditEventsFromTheNewestBack(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let user = try await store.addAccount(samples).user.id
            for _ in 0..<5 { try await store.recordReveal(of: user, audit: samples.event(.keyRevealed, user: user)) }
            _ = try await store.addAccount(samples)
            let newest = try await store.auditEvents(of: nil, before: nil, limit: 2)
            #expect(newest.map(\.1.action) == [.userCreated, .keyRevealed])
            // What is written meanwhile is newer than the place.
            try await store.recordReveal(of: user, audit: samples.event(.keyRevealed, user: user))
            var (place, count): (Int64?, Int) = (newest.last?.place, 0)
            while let before = place {
                let page = try await store.auditEvents(of: nil, before: before, limit: 2)
                #expect(page.allSatisfy { $0.place < before })
                count += page.count
                place = page.count == 2 ? page.last?.place : nil
            }
            #expect(count == 5)
            #expect(try await store.auditEvents(of: user, before: nil, limit: 100).count == 7)
        }
    }

    @Test(arguments: storesUnderTest)
    func whoseAKeyIsOrWas(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples in
            let new = samples.newAccount()
            let account = try await first.add(new, samples)
            let (old, replacement) = (new.sealedKey.digest, samples.replacement(of: account))
            func owner(_ digest: [UInt8]) async throws -> String {
                switch try await second.keyOwner(digests: [samples.random.bytes(32), digest]) {
                case .live(let account): "live \(account.user.id)"
                case .ended(let past, let account): "ended \(past.userID) \(account == nil ? "gone" : "there")"
                case nil: "none"
                }
            }
            let id = account.user.id
            #expect(try await owner(old) == "live \(id)")
            #expect(try await owner(replacement.sealed.digest) == "none")
            _ = try await first.replaceKey(replacement, audit: samples.event(.keyRegenerated))
            #expect(try await owner(old) == "ended \(id) there")
            _ = try await first.setStatus(.disabled, of: id, audit: samples.event(.userDisabled))
            #expect(try await owner(replacement.sealed.digest) == "live \(id)")
            _ = try await first.deleteAccount(id, audit: samples.event(.userDeleted))
            for digest in [old, replacement.sealed.digest] { #expect(try await owner(digest) == "ended \(id) gone") }
            #expect(try await second.keyOwner(digests: []).map { _ in true } == nil)
        }
    }
}
