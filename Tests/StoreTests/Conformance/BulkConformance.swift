import Keybearer
import TestSupport
import Testing

/// The accounts of a ``BulkFilter`` on every engine.
@Suite struct BulkConformance {
    @Test(arguments: storesUnderTest)
    func eachPartOfAFilterNarrowsIt(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples in
            var accounts: [Account] = []
            for place in 0..<6 { accounts.append(try await first.addAccount(samples, after: Int64(place))) }
            let users = accounts.map(\.user.id)
            let pro = PlanID(rawValue: "pro")
            for account in accounts[1...2] {
                _ = try await first.setPlan(
                    pro, of: account.workspaces[0].workspace.id, audit: samples.event(.planChanged))
            }
            let shared = accounts[1].workspaces[0].workspace.id
            _ = try await first.putMember(
                Membership(workspaceID: shared, userID: users[4], role: .member), audit: samples.event(.memberAdded))
            _ = try await first.setStatus(.disabled, of: users[2], audit: samples.event(.userDisabled))
            let sealed = MasterKeyID(rawValue: "mk_two")
            try await first.recordMasterKey(sealed)
            let plain = samples.replacement(of: accounts[5])
            _ = try await first.replaceKey(
                KeyReplacement(
                    userID: plain.userID, key: plain.key, sealed: samples.sealedKey(under: sealed), request: nil),
                audit: samples.event(.keyRegenerated))
            let cases: [((inout BulkFilter) -> Void, User.Status?, [Int])] = [
                ({ $0.planID = pro }, nil, [1, 2, 4]), ({ $0.planID = pro }, .active, [1, 4]),
                ({ $0.createdBefore = samples.at(2) }, nil, [0, 1]), ({ $0.sealedUnder = sealed }, nil, [5]),
                ({ $0.workspaceID = shared }, nil, [1, 4]),
                ({ ($0.planID, $0.createdBefore) = (pro, samples.at(4)) }, nil, [1, 2]),
                ({ ($0.planID, $0.workspaceID) = (PlanID(rawValue: "free"), shared) }, nil, []),
                ({ $0.planID = PlanID(rawValue: "none") }, nil, []),
            ]
            for (change, status, expected) in cases {
                var filter = BulkFilter()
                change(&filter)
                let found = try await second.bulkAccounts(filter, status: status, after: nil, limit: 100)
                #expect(found.map(\.id) == expected.map { users[$0] }, "\(filter)")
                #expect(try await second.bulkCount(filter, status: status) == expected.count)
                guard let last = found.dropLast().last else { continue }
                let place = ListPlace(createdAt: last.createdAt, id: last.id.rawValue)
                let rest = try await second.bulkAccounts(filter, status: status, after: place, limit: 100)
                #expect(rest == found.suffix(1))
            }
            let all = try await second.bulkAccounts(BulkFilter(), status: nil, after: nil, limit: 3)
            #expect(all.map(\.keyVersion) == [1, 1, 1])
        }
    }
}
