import Keybearer
import KeybearerSQL
import TestSupport
import Testing

/// What nobody asked for and is told (``KeyEvent``), on every engine: once for a key, a kind and an hour, whichever nodes see
/// it; and that a deleted account leaves its workspaces.
@Suite struct KeyEventConformance {
    @Test(arguments: storesUnderTest)
    func whatIsSeenOfKeysIsToldOnceAnHour(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples in
            let webhooks = WebhookSamples(store: first, samples: samples)
            let account = try await first.addAccount(samples)
            try await MailConformance.confirm(account, first, samples)
            let watcher = try await webhooks.endpoint(of: nil, events: ["key.rate_limited", "key.new_address"])
            func seen(_ number: UInt32) -> KeyNews {
                let source = KeySource(
                    address: IPAddress(v4: number), userAgent: "curl/8", firstSeenAt: samples.at(1),
                    lastSeenAt: samples.at(1))
                return KeyNews(userID: account.user.id, sources: [.init(keyID: account.key.id, source: source)])
            }
            func told() async throws -> [String] {
                _ = try await webhooks.spread()
                return try await webhooks.deliveries(at: watcher).map(\.event.rawValue).sorted()
            }
            func write(
                _ store: any Store, _ number: Int64, _ news: [KeyNews], at time: Timestamp = samples.at(2),
                isMailed: Bool = true
            ) async throws {
                let limited = KeyEvent(.rateLimited, userID: account.user.id, keyID: account.key.id, at: time)
                let batch = UsageBatch(
                    writer: "node \(number)", number: number, uses: [], counts: [], news: news,
                    events: number == 1 ? [] : [limited], isMailed: isMailed)
                try await store.recordUsage(batch, now: time)
            }
            // Nothing is known yet: the first address is no news.
            try await write(first, 1, [seen(1)])
            #expect(try await told() == [])
            // On both nodes, and again: one message of each kind.
            try await write(first, 2, [seen(2)])
            try await write(second, 3, [seen(2), seen(3)])
            try await write(second, 4, [seen(1), seen(2)])
            #expect(try await told() == ["key.new_address", "key.rate_limited"])
            try await write(second, 5, [seen(4)], at: samples.at(3_602))
            #expect(try await told() == ["key.new_address", "key.new_address", "key.rate_limited", "key.rate_limited"])
            // Where no mails are sent, none waits.
            try await write(first, 6, [seen(5)], at: samples.at(7_202), isMailed: false)
            let mails = try await first.mails(limit: 10).filter { $0.kind == .keyNewAddress }
            #expect(Set(mails.map(\.address)) == [IPAddress(v4: 2), IPAddress(v4: 4)])
            #expect(mails.allSatisfy { $0.recipient == account.user.email })
            let body = try await webhooks.newestBody(at: watcher, of: "key.new_address")
            #expect(body.contains(#""workspaceId":null,"siteId""#) && body.contains(#""address":"0.0.0.4""#), "\(body)")
        }
    }

    @Test(arguments: storesUnderTest)
    func whoeverIsDeletedLeavesTheWorkspaces(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let webhooks = WebhookSamples(store: store, samples: samples)
            let (owner, member) = (try await store.addAccount(samples), try await store.addAccount(samples, after: 1))
            let workspaceID = owner.workspaces[0].workspace.id
            _ = try await store.putMember(
                Membership(workspaceID: workspaceID, userID: member.user.id, role: .member),
                audit: samples.event(.memberAdded))
            let watcher = try await webhooks.endpoint(of: nil, events: ["member.removed"])
            _ = try await store.deleteAccount(member.user.id, audit: samples.event(.userDeleted, user: member.user.id))
            _ = try await webhooks.spread()
            #expect(try await webhooks.deliveries(at: watcher).count == 1)
            let body = try await webhooks.newestBody(at: watcher, of: "member.removed")
            #expect(body.contains(workspaceID.rawValue) && body.contains(member.user.id.rawValue))
        }
    }
}
