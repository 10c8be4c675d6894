import Keybearer
import TestSupport
import Testing

/// ``Limits`` on every engine: overrides are stored with their ends, ends happen once, and a fresh hour voids what was
/// reserved before it.
@Suite struct LimitConformance {
    @Test(arguments: storesUnderTest)
    func overridesAndEndsAreStored(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let account = try await store.addAccount(samples)
            let (user, workspace) = (account.user.id, account.workspaces[0].workspace.id)
            let limit = LimitOverride(hourlyLimit: 0, endsAt: samples.at(600))
            let planEnd = PlanEnd(at: samples.at(700), nextPlanID: PlanID(rawValue: "free"))
            _ = try await store.perform(
                [
                    samples.write(.updateUser(UserUpdate(id: user, limit: .set(limit))), at: samples.at(1)),
                    samples.write(
                        .updateWorkspace(
                            WorkspaceUpdate(
                                id: workspace, planID: PlanID(rawValue: "pro"),
                                limit: .set(LimitOverride(hourlyLimit: 9)), planEnd: planEnd)), at: samples.at(1)),
                ], by: .commandLine)
            let found = try #require(try await store.account(id: user))
            #expect(found.user.limit == limit && found.user.version == account.user.version + 1)
            #expect(found.workspaces[0].workspace.limit == LimitOverride(hourlyLimit: 9))
            #expect(found.workspaces[0].workspace.planEnd == planEnd)
            #expect(found.hourlyLimit(in: found.workspaces[0]) == 0)
            // The same again is no change.
            _ = try await store.perform(
                [samples.write(.updateUser(UserUpdate(id: user, limit: .set(limit))), at: samples.at(2))],
                by: .commandLine)
            #expect(try await store.account(id: user)?.user == found.user)
            _ = try await store.perform(
                [samples.write(.updateUser(UserUpdate(id: user, limit: .cleared)), at: samples.at(3))],
                by: .commandLine)
            #expect(try await store.account(id: user)?.user.limit == nil)
        }
    }

    @Test(arguments: storesUnderTest)
    func anEndHappensOnceAndNotWhereItWasChanged(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples in
            let account = try await first.addAccount(samples)
            let (user, workspace) = (account.user.id, account.workspaces[0].workspace.id)
            let end = samples.at(60)
            let override = LimitOverride(hourlyLimit: 5, endsAt: end)
            func write(_ work: StoreWrite.Work) async throws {
                _ = try await first.perform([samples.write(work, at: samples.at(1))], by: .commandLine)
            }
            try await write(.updateUser(UserUpdate(id: user, limit: .set(override))))
            try await write(.updateWorkspace(WorkspaceUpdate(id: workspace, limit: .set(override))))
            try await write(
                .updateWorkspace(
                    WorkspaceUpdate(
                        id: workspace, planID: PlanID(rawValue: "pro"),
                        planEnd: PlanEnd(at: end, nextPlanID: PlanID(rawValue: "free")))))
            #expect(try await first.dueEnds(now: samples.at(59), limit: 10).isEmpty)
            let due = try await first.dueEnds(now: end, limit: 10)
            #expect(due.count == 3)
            // One of them is put off before it is ended.
            let later = LimitOverride(hourlyLimit: 5, endsAt: samples.at(120))
            try await write(.updateUser(UserUpdate(id: user, limit: .set(later))))
            for store in [first, second] {
                for one in due { _ = try await store.end(one, audit: samples.event(.planChanged, after: 60)) }
            }
            let found = try #require(try await second.account(id: user))
            #expect(found.user.limit == later)
            #expect(found.workspaces[0].workspace.limit == nil && found.workspaces[0].plan.id.rawValue == "free")
            #expect(try await first.dueEnds(now: samples.at(61), limit: 10).isEmpty)
            #expect(try await first.dueEnds(now: samples.at(121), limit: 10) == [.userLimit(user)])
        }
    }

    @Test(arguments: storesUnderTest)
    func aFreshHourVoidsWhatWasReserved(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples in
            let user = try await first.addAccount(samples).user.id
            func reserve(_ count: Int, releasing unused: [LocalQuota.Unused] = []) -> QuotaRequest {
                .reserve(user, count: count, limit: 100, life: .seconds(10), releasing: unused)
            }
            func reset() async throws {
                let write = samples.write(.resetWindow(of: user), at: samples.at(1))
                _ = try await second.perform([write], by: .commandLine)
            }
            // One without a window has nothing to begin.
            try await reset()
            let old = try await first.reserve([reserve(100)], now: samples.at(1))[0]
            #expect(old.granted == 100)
            try await reset()
            let new = try await first.reserve([reserve(60)], now: samples.at(2))[0]
            #expect(new.granted == 60 && new.charged == 60 && new.minute != old.minute)
            // What the hour before left unused is not taken back: it would make room in this one.
            let unused = LocalQuota.Unused(count: 50, minute: old.minute)
            let last = try await second.reserve([reserve(100, releasing: [unused])], now: samples.at(3))[0]
            #expect(last.granted == 40 && last.charged == 100)
            let gone = samples.write(.resetWindow(of: .random(from: samples.random)), at: samples.at(1))
            await #expect(throws: KeybearerError.self) { _ = try await first.perform([gone], by: .commandLine) }
        }
    }
}
