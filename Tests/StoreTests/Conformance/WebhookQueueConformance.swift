import Keybearer
import KeybearerSQL
import TestSupport
import Testing

/// The ``WebhookQueueStore`` on every engine, in ``WebhookQueue`` and ``WebhookRemovals`` with ``CopiedWebhookTables``: one delivery is one process's at a time, outcomes are
/// written under the claim that made the attempt alone, and nothing is lost.
@Suite struct WebhookQueueConformance {
    @Test(arguments: storesUnderTest)
    func aDeliveryIsOneProcessesAtATime(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples in
            let (one, two) = (
                WebhookSamples(store: first, samples: samples), WebhookSamples(store: second, samples: samples)
            )
            let endpoint = try await one.endpoint(of: nil)
            for index in 0..<20 { try await one.publish(one.message("a.b", in: nil, after: Int64(index) - 30)) }
            #expect(try await one.spread() == 20)
            #expect(try await second.endpointsDue(now: WebhookSamples.now).map(\.endpoint.id) == [endpoint.id])
            async let mine = one.claim(endpoint, 15)
            async let theirs = two.claim(endpoint, 15)
            let (taken, others) = (try await mine, try await theirs)
            let rest = try await one.claim(endpoint, 15)
            let ids = (taken + others + rest).map(\.messageID.rawValue)
            #expect(ids.count == 20 && Set(ids).count == 20)
            #expect(try await first.endpointsDue(now: WebhookSamples.now).isEmpty, "all are somebody's")
            // The bytes are the message's.
            let body = String(decoding: try #require(taken.first).body, as: UTF8.self)
            #expect(body.contains(#""data":{"object":{"id":"in_1"}}}"#) && body.hasPrefix(#"{"id":"evt_"#))
        }
    }

    @Test(arguments: storesUnderTest)
    func aClaimThatRanOutWritesNothing(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples in
            let (one, two) = (
                WebhookSamples(store: first, samples: samples), WebhookSamples(store: second, samples: samples)
            )
            let endpoint = try await one.endpoint(of: nil)
            try await one.publish(one.message("a.b", in: nil))
            #expect(try await one.spread() == 1)
            let paused = try await one.claim(endpoint)
            #expect(paused.count == 1)
            let later = WebhookSamples.now.advanced(by: DeliveryRules.claim)
            #expect(try await two.claim(endpoint, at: later.advanced(by: .milliseconds(-1))).isEmpty)
            let next = try await two.claim(endpoint, at: later)
            #expect(next.map(\.messageID) == paused.map(\.messageID))
            // Whoever was paused wakes up: the other's claim holds.
            try await first.record([one.record(paused[0], status: 410)], now: later)
            try await first.releaseDeliveries(paused)
            #expect(try await two.claim(endpoint, at: later).isEmpty)
            #expect(try await first.webhookEndpoint(endpoint.id)?.endpoint.state == .enabled)
            try await second.record([two.record(next[0], status: 204)], now: later)
            let delivery = try #require(try await one.deliveries(at: endpoint).first)
            #expect(delivery.state == .delivered && delivery.attempts == 1)
            let attempts = try #require(try await first.webhookDelivery(delivery.messageID, at: endpoint.id)).attempts
            #expect(attempts.map(\.status) == [204])
            #expect(String(decoding: attempts[0].response, as: UTF8.self) == "answer")
        }
    }

    @Test(arguments: storesUnderTest)
    func aFailureIsTriedAgainAndTheLastOneEndsIt(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let webhooks = WebhookSamples(store: store, samples: samples)
            let endpoint = try await webhooks.endpoint(of: nil)
            try await webhooks.publish(webhooks.message("a.b", in: nil))
            #expect(try await webhooks.spread() == 1)
            var now = WebhookSamples.now
            for (index, status) in [500, nil, 302].enumerated() {
                let claimed = try await webhooks.claim(endpoint, at: now)
                #expect(claimed.map(\.attempts) == [index])
                let isLast = index == 2
                try await store.record(
                    [webhooks.record(claimed[0], status: status, retryAfter: isLast ? nil : .seconds(60), at: now)],
                    now: now)
                now = now.advanced(by: .seconds(59))
                #expect(try await webhooks.claim(endpoint, at: now).isEmpty)
                now = now.advanced(by: .seconds(1))
            }
            let delivery = try #require(try await webhooks.deliveries(at: endpoint).first)
            #expect(delivery.state == .failed && delivery.attempts == 3 && delivery.dueAt == nil)
            let found = try #require(try await store.webhookDelivery(delivery.messageID, at: endpoint.id))
            #expect(found.attempts.map(\.status) == [500, nil, 302])
            #expect(found.attempts[1].problem == .timedOut && found.attempts[1].duration == .milliseconds(12))
            // Sent again by hand: the schedule begins again, the attempts go on.
            #expect(try await resend(.one(delivery.messageID), endpoint, store, samples) == 1)
            let again = try await webhooks.claim(endpoint, at: now)
            #expect(again.map(\.attempts) == [3] && again.map(\.attemptsBefore) == [3])
            #expect(again[0].body == found.body, "not a byte differs")
        }
    }

    private func resend(
        _ which: WebhookResend.Which, _ endpoint: WebhookEndpoint, _ store: any Store, _ samples: Samples
    ) async throws -> Int {
        try await store.resendWebhookDeliveries(
            WebhookResend(which, to: endpoint.id), of: endpoint.workspaceID, by: .commandLine, needs: nil,
            audit: samples.event(.webhookResent), now: WebhookSamples.now)
    }

    @Test(arguments: storesUnderTest)
    func whatWaitsForALockedOrDisabledOneEndsAndIsSentAgain(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let webhooks = WebhookSamples(store: store, samples: samples)
            let workspaceID = try await store.addAccount(samples).workspaces[0].workspace.id
            try await WebhookConformance.unlock(workspaceID, store, samples)
            let endpoint = try await webhooks.endpoint(of: workspaceID, events: ["a.b"])
            for index in 0..<4 {
                try await webhooks.publish(webhooks.message("a.b", in: workspaceID, after: Int64(index)))
            }
            #expect(try await webhooks.spread() == 4)
            func standing() async throws -> [DueEndpoint.Standing] {
                try await store.endpointsDue(now: WebhookSamples.now).map(\.standing)
            }
            func end(_ state: WebhookDelivery.State) async throws -> Int {
                try await store.endWaiting(for: endpoint.id, as: state, limit: 100, now: WebhookSamples.now)
            }
            #expect(try await standing() == [.open])
            #expect(try await end(.locked) == 0, "nothing of an open one")
            #expect(try await end(.disabled) == 0)
            // One is under way: what becomes of it is written.
            let claimed = try await webhooks.claim(endpoint, 1)
            try await WebhookConformance.unlock(workspaceID, store, samples, plan: "free")
            #expect(try await standing() == [.locked])
            #expect(try await end(.locked) == 3)
            try await store.record([webhooks.record(claimed[0], status: 200)], now: WebhookSamples.now)
            #expect(
                try await webhooks.deliveries(at: endpoint).map(\.state).sorted { $0.rawValue < $1.rawValue }
                    == [.delivered, .locked, .locked, .locked])
            try await WebhookConformance.unlock(workspaceID, store, samples)
            let start = WebhookSamples.now
            let missed = WebhookResend.Which.missed(since: start, until: start.advanced(by: .seconds(3)))
            #expect(try await resend(missed, endpoint, store, samples) == 2, "not the last one, not what arrived")
            _ = try await webhooks.update(endpoint, isEnabled: false)
            #expect(try await standing() == [.disabled])
            #expect(try await end(.disabled) == 2)
            await expect(.conflict) { _ = try await resend(missed, endpoint, store, samples) }
            _ = try await webhooks.update(endpoint, isEnabled: true)
            #expect(try await resend(missed, endpoint, store, samples) == 2)
            await expect(.notFound) {
                _ = try await resend(.one(.random(from: samples.random, at: Samples.start)), endpoint, store, samples)
            }
        }
    }

    @Test(arguments: storesUnderTest)
    func whoeverHasAnEndpointIsToldHowItFares(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let webhooks = WebhookSamples(store: store, samples: samples)
            let account = try await store.addAccount(samples)
            try await MailConformance.confirm(account, store, samples)
            let workspaceID = account.workspaces[0].workspace.id
            try await WebhookConformance.unlock(workspaceID, store, samples)
            let endpoint = try await webhooks.endpoint(of: workspaceID, events: ["a.b"])
            let watcher = try await webhooks.endpoint(of: nil)
            try await webhooks.publish(webhooks.message("a.b", in: workspaceID))
            _ = try await webhooks.spread()
            var now = WebhookSamples.now
            func attempt(_ status: Int, after span: Duration) async throws -> EndpointHealth {
                now = now.advanced(by: span)
                let claimed = try await webhooks.claim(endpoint, at: now)
                try await store.record(
                    [webhooks.record(try #require(claimed.first), status: status, retryAfter: .seconds(1), at: now)],
                    now: now)
                return try #require(try await store.webhookEndpoint(endpoint.id)).endpoint.health
            }
            #expect(try await attempt(500, after: .zero).failures == 1)
            #expect(try await attempt(500, after: .seconds(1_800)).notice == .failing)
            #expect(try await attempt(200, after: .seconds(60)) == EndpointHealth())
            _ = try await resend(
                .one(try #require(try await webhooks.deliveries(at: endpoint).first).messageID), endpoint, store,
                samples)
            #expect(try await attempt(410, after: .seconds(60)).failures == 1)
            #expect(try await store.webhookEndpoint(endpoint.id)?.endpoint.state == .gone)
            _ = try await webhooks.spread()
            let told = Set(try await webhooks.deliveries(at: watcher).map(\.event.rawValue)).subtracting([
                "a.b", "plan.changed",
            ])
            #expect(told == ["endpoint.failing", "endpoint.recovered", "endpoint.disabled"])
            #expect(try await webhooks.deliveries(at: endpoint).count == 1, "not by itself")
            let mails = try await store.mails(limit: 10).filter { $0.kind.topic == .webhooks }
            #expect(Set(mails.map(\.kind)) == [.webhookFailing, .webhookRecovered, .webhookDisabled])
            #expect(mails.allSatisfy { $0.recipient == account.user.email })
            let detail = try #require(mails.first { $0.kind == .webhookDisabled }?.detail)
            #expect(detail.contains("Status 410") && detail.contains(endpoint.id.rawValue))
        }
    }

    @Test(arguments: storesUnderTest)
    func nothingIsLeftOfWhatIsGone(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let webhooks = WebhookSamples(store: store, samples: samples)
            let account = try await store.addAccount(samples)
            let watcher = try await webhooks.endpoint(of: nil)
            let deleted = try await webhooks.endpoint(of: nil)
            _ = try await store.replaceKey(
                samples.replacement(of: account), audit: samples.event(.keyRegenerated, user: account.user.id))
            try await webhooks.publish(webhooks.message("a.b", in: nil))
            #expect(try await webhooks.spread() == 2)
            try await store.deleteWebhookEndpoint(
                deleted.id, of: nil, version: nil, by: .commandLine, needs: nil, audit: samples.event(.webhookDeleted))
            #expect(try await webhooks.deliveries(at: deleted).count == 2)
            try await store.removeOrphanedDeliveries()
            #expect(try await webhooks.deliveries(at: deleted).isEmpty)
            #expect(try await webhooks.deliveries(at: watcher).count == 2)
            // What tells of a person goes with the person.
            _ = try await store.deleteAccount(
                account.user.id, audit: samples.event(.userDeleted, user: account.user.id))
            try await store.erasePersonalData(of: account.user.id)
            #expect(try await webhooks.deliveries(at: watcher).map(\.event.rawValue) == ["a.b"])
            let month = WebhookSamples.now.advanced(by: DeliveryRules.usualRetention + .seconds(1))
            try await store.removeOldWebhookMessages(olderThan: DeliveryRules.usualRetention, now: month)
            #expect(try await webhooks.deliveries(at: watcher).isEmpty)
        }
    }

    @Test(arguments: storesUnderTest)
    func theOldestThatHaveEndedMakeRoom(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let webhooks = WebhookSamples(store: store, samples: samples)
            let (endpoint, other) = (
                try await webhooks.endpoint(of: nil, events: ["a.b"]), try await webhooks.endpoint(of: nil)
            )
            let messages = (0..<6).map { index in
                webhooks.message(
                    "a.b", in: nil, source: index == 2 ? nil : "order \(index)", after: Int64(index) - 30)
            }
            for message in messages { try await webhooks.publish(message) }
            #expect(try await webhooks.spread() == 6)
            // The first four have ended at one of the two, and the first still waits there.
            let claimed = try await webhooks.claim(endpoint, 4)
            try await store.record(
                claimed.dropFirst().map { webhooks.record($0, status: 200) }, now: WebhookSamples.now)
            try await store.removeDeliveries(beyond: 6)
            #expect(try await webhooks.deliveries(at: endpoint).count == 6)
            try await store.removeDeliveries(beyond: 3)
            let left = try await webhooks.deliveries(at: endpoint)
            #expect(left.map(\.sequence) == [6, 5, 4, 1], "what waits stays")
            #expect(try await webhooks.deliveries(at: other).count == 6)
            // At the other one too: nobody keeps the second and the third, but they are not queued again.
            try await store.record(
                try await webhooks.claim(other, 6).map { webhooks.record($0, status: 200) }, now: WebhookSamples.now)
            try await store.removeDeliveries(beyond: 3)
            #expect(try await webhooks.deliveries(at: other).map(\.sequence) == [6, 5, 4])
            let again = try await webhooks.publish(webhooks.message("a.b", in: nil, source: "order 1"))
            #expect(again.map(\.isNew) == [false])
            #expect(try await webhooks.spread() == 0)
            // Of one that is not sent again, nothing is left.
            try await webhooks.publish(messages[2])
            #expect(try await webhooks.spread() == 1)
            #expect(
                try await webhooks.claim(endpoint, at: WebhookSamples.now.advanced(by: DeliveryRules.claim)).count == 4)
        }
    }
}
