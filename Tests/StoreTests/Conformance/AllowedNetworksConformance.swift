import KeybearerSQL
import Logging
import TestSupport
import Testing

@testable import Keybearer

/// ``AllowedNetworks`` on every engine, in the step ``KeyHistoryMigration``: stored, kept over a regenerate, refused while
/// an older node runs, and held by every node when the response is sent.
@Suite struct AllowedNetworksConformance {
    private func networks(_ texts: String...) throws -> AllowedNetworks { try AllowedNetworks(parsing: texts) }

    @Test(arguments: storesUnderTest)
    func theyBelongToTheAccount(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let account = try await store.addAccount(samples)
            let user = account.user.id
            let wanted = try networks("10.0.0.0/8", "2001:db8::/32")
            func set(_ networks: AllowedNetworks?, version: Int? = nil, user id: UserID? = nil) async throws {
                _ = await applied(
                    try await store.setAllowedNetworks(
                        networks, of: id ?? user, version: version, by: .commandLine, needs: nil,
                        audit: samples.event(.networksChanged, user: user, after: 1)))
            }
            try await set(wanted, version: 1)
            let found = try #require(try await store.account(id: user))
            #expect(found.user.allowedNetworks == wanted && found.user.version == 2)
            #expect(found.user.allowedNetworks?.texts == ["10.0.0.0/8", "2001:db8::/32"])
            // The same again is no change; neither is one of an older version.
            try await set(wanted)
            #expect(try await store.account(id: user)?.user == found.user)
            await expect(.conflict) { try await set(nil, version: 1) }
            await expect(.notFound) { try await set(nil, user: .random(from: samples.random)) }
            _ = try await store.replaceKey(
                samples.replacement(of: account), audit: samples.event(.keyRegenerated, user: user))
            #expect(try await store.account(id: user)?.user.allowedNetworks == wanted)
            let update = samples.write(
                .updateUser(UserUpdate(id: user, name: "Another", limit: .cleared)), at: samples.at(2))
            _ = try await store.perform([update], by: .commandLine)
            #expect(try await store.account(id: user)?.user.allowedNetworks == wanted)
            try await set(nil)
            #expect(try await store.account(id: user)?.user.allowedNetworks == nil)
            // Which networks they are is nobody's to keep behind the account.
            let events = try await store.auditEvents(userID: user, limit: 10).filter { $0.action == .networksChanged }
            #expect(
                events.map(\.change) == [
                    ValueChange(before: "2 networks", after: "every address"),
                    ValueChange(before: "every address", after: "2 networks"),
                ])
        }
    }

    @Test(arguments: storesUnderTest)
    func anOlderNodeKeepsThemOut(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples in
            let user = try await first.addAccount(samples).user.id
            let wanted = try networks("10.0.0.0/8")
            func set(_ change: MemberChange<AllowedNetworks>) async throws {
                let write = samples.write(.updateUser(UserUpdate(id: user, allowedNetworks: change)), at: samples.at(1))
                let results = await applied(try await second.perform([write], by: .commandLine)).value
                _ = try results[0].get()
            }
            for version in ["", "0.1.9"] {
                let node = NodeID.random(from: samples.random)
                _ = try await first.registerNode(node, label: "old one", version: version, lease: .seconds(2))
                await expect(.conflict) { try await set(.set(wanted)) }
                #expect(try await first.account(id: user)?.user.allowedNetworks == nil)
                // What it would honour can be done.
                try await set(.cleared)
                try await first.unregisterNode(node)
            }
            try await set(.set(wanted))
            #expect(try await first.account(id: user)?.user.allowedNetworks == wanted)
        }
    }

    @Test(arguments: storesUnderTest)
    func whoeverTakesAnAccountOverIsNotHeldByThem(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            try await store.recordMasterKey(MasterKeyID(rawValue: "mk_one"))
            let account = try await store.addAccount(samples)
            let user = account.user.id
            let limited = samples.write(
                .updateUser(UserUpdate(id: user, allowedNetworks: .set(try networks("10.0.0.0/8")))), at: samples.at(1))
            let adopted = samples.write(
                .updateUser(
                    UserUpdate(id: user, isEmailVerified: true, takeover: samples.replacement(of: account))),
                at: samples.at(2))
            for write in [limited, adopted] {
                let results = await applied(try await store.perform([write], by: .commandLine)).value
                _ = try results[0].get()
            }
            let found = try #require(try await store.account(id: user))
            #expect(found.key.version == 2 && found.user.allowedNetworks == nil)
        }
    }

    @Test(arguments: storesUnderTest)
    func whenTheResponseArrivesNoNodeLetsAnotherAddressPass(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples in
            let ring = try MasterKeyRing.generate(from: .system)
            func services(_ store: any Store) -> Services {
                var settings = Services.Settings()
                settings.lease = .seconds(8)
                settings.passwordCost = 10
                return Services(
                    store: store, ring: ring, loadRing: { ring }, settings: settings, role: .server,
                    logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
            }
            let all = [services(first), services(second)]
            let nodes = try all.map { try #require($0.node) }
            for node in nodes { await node.fence.step() }
            let running = nodes.map { node in Task { await node.run() } }
            let account = try await all[0].accounts.create(
                name: "Ada", email: "ada@example.com", password: Password("long enough secret"), by: .commandLine)
            try await all[0].workspaces.setPlan(
                PlanID(rawValue: "pro"), of: account.workspaces[0].workspace.id, by: .commandLine)
            let key = try await all[0].keys.reveal(account.user.id, by: .commandLine)
            let (here, there) = (Samples.address, IPAddress(v4: 0xCB00_7109))
            func outcome(_ address: IPAddress, at node: Node) async -> String {
                switch await node.verifier.verdict(for: key.token, scope: .anyWorkspace, from: address) {
                case .admitted: "passes"
                case .addressNotAllowed: "refused"
                case let other: "\(other)"
                }
            }
            for round in 0..<12 {
                for node in nodes {
                    for address in [here, there] { #expect(await outcome(address, at: node) == "passes") }
                }
                try await all[round % 2].keys.setAllowedNetworks(
                    AllowedNetworks(around: [here]), of: account.user.id, by: .commandLine)
                for node in nodes {
                    #expect(await outcome(there, at: node) == "refused", "\(round)")
                    #expect(await outcome(here, at: node) == "passes", "\(round)")
                }
                try await all[(round + 1) % 2].keys.setAllowedNetworks(nil, of: account.user.id, by: .commandLine)
            }
            for task in running { task.cancel() }
            for task in running { await task.value }
            for node in nodes { await node.stop() }
        }
    }
}
