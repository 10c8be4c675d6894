import Keybearer
import KeybearerSQL
import TestSupport
import Testing

/// The ``WebhookStore`` on every engine: ``WebhookEndpoints`` and ``WebhookMessages`` in the tables of ``WebhookMigration``,
/// with ``WebhookDeliveries`` and ``EventTypes``.
@Suite struct WebhookConformance {
    @Test(arguments: storesUnderTest)
    func anEndpointIsKeptChangedAndDeleted(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let account = try await store.addAccount(samples)
            let (workspaceID, webhooks) = (
                account.workspaces[0].workspace.id, WebhookSamples(store: store, samples: samples)
            )
            let made = try await webhooks.endpoint(of: workspaceID, events: ["invoice.paid", "member.added"])
            let found = try #require(try await store.webhookEndpoint(made.id))
            #expect(found.endpoint == made)
            #expect(try await store.webhookEndpoints(of: workspaceID) == [made])
            #expect(try await store.webhookEndpoints(of: nil).isEmpty)

            var update = WebhookEndpointUpdate(id: made.id, version: 1)
            update.name = "Other"
            update.events = .all
            let changed = try await store.updateWebhookEndpoint(
                update, of: workspaceID, by: .commandLine, needs: nil, audit: samples.event(.webhookChanged))
            #expect(changed.version == 2 && changed.name == "Other" && changed.events == .all)
            #expect(try await store.webhookEndpoint(made.id)?.endpoint == changed)
            await expect(.conflict) {
                _ = try await store.updateWebhookEndpoint(
                    update, of: workspaceID, by: .commandLine, needs: nil, audit: samples.event(.webhookChanged))
            }
            // Another workspace's is not there.
            await expect(.notFound) {
                _ = try await store.updateWebhookEndpoint(
                    WebhookEndpointUpdate(id: made.id), of: nil, by: .commandLine, needs: nil,
                    audit: samples.event(.webhookChanged))
            }
            await expect(.conflict) {
                try await store.deleteWebhookEndpoint(
                    made.id, of: workspaceID, version: 1, by: .commandLine, needs: nil,
                    audit: samples.event(.webhookDeleted))
            }
            try await store.deleteWebhookEndpoint(
                made.id, of: workspaceID, version: 2, by: .commandLine, needs: nil,
                audit: samples.event(.webhookDeleted))
            #expect(try await store.webhookEndpoint(made.id) == nil)
        }
    }

    @Test(arguments: storesUnderTest)
    func aWorkspaceHasSoManyAndOneRequestMakesOne(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { store, second, samples in
            let webhooks = WebhookSamples(store: store, samples: samples)
            let request = IdempotentRequest(scope: "opt_a", keyDigest: [1], requestDigest: Samples.request)
            func make() async throws {
                try await store.addWebhookEndpoint(
                    WebhookEndpoint(
                        id: .random(from: samples.random), workspaceID: nil, name: "Once",
                        url: try WebhookURL(parsing: "https://example.com"), events: .all,
                        createdAt: WebhookSamples.now, updatedAt: WebhookSamples.now),
                    secrets: webhooks.sealed(), request: request, by: .commandLine, needs: nil,
                    audit: samples.event(.webhookCreated))
            }
            try await make()
            await expect(.conflict) { try await make() }
            #expect(try await store.webhookEndpoints(of: nil).count == 1)
            for _ in 2..<WebhookEndpoint.most { _ = try await webhooks.endpoint(of: nil) }
            // Two that would be the last one: one is.
            let made = await withTaskGroup(of: Bool.self) { group in
                for store in [store, second] {
                    group.addTask {
                        (try? await WebhookSamples(store: store, samples: samples).endpoint(of: nil)) != nil
                    }
                }
                return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(made == 1)
            await expect(.conflict) { _ = try await webhooks.endpoint(of: nil) }
            let account = try await store.addAccount(samples)
            _ = try await webhooks.endpoint(of: account.workspaces[0].workspace.id)
            await expect(.notFound) { _ = try await webhooks.endpoint(of: .random(from: samples.random)) }
        }
    }

    @Test(arguments: storesUnderTest)
    func everyMessageHasItsPlaceAndGoesWhereItIsWanted(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let webhooks = WebhookSamples(store: store, samples: samples)
            let account = try await store.addAccount(samples)
            let other = try await store.addAccount(samples, after: 1)
            let (mine, theirs) = (account.workspaces[0].workspace.id, other.workspaces[0].workspace.id)
            for id in [mine, theirs] { try await Self.unlock(id, store, samples) }
            _ = try await webhooks.spread()
            let paid = try await webhooks.endpoint(of: mine, events: ["invoice.paid"])
            let all = try await webhooks.endpoint(of: mine)
            let foreign = try await webhooks.endpoint(of: theirs)
            let operators = try await webhooks.endpoint(of: nil)
            let disabled = try await webhooks.update(try await webhooks.endpoint(of: mine), isEnabled: false)
            for index in 0..<3 {
                try await webhooks.publish(
                    webhooks.message("invoice.paid", in: mine, after: Int64(index)),
                    webhooks.message("invoice.void", in: mine, after: Int64(index)))
            }
            try await webhooks.publish(webhooks.message("invoice.paid", in: theirs))
            #expect(try await webhooks.spread() == 7)
            #expect(try await webhooks.spread() == 0)
            #expect(
                try await webhooks.deliveries(at: paid).map(\.event.rawValue)
                    == Array(repeating: "invoice.paid", count: 3))
            #expect(Set(try await webhooks.deliveries(at: all).map(\.sequence)) == Set(1...6))
            #expect(try await webhooks.deliveries(at: foreign).map(\.sequence) == [1])
            // The order in which they were queued, whatever workspaces they are of.
            let told = try await webhooks.deliveries(at: operators).sorted { $0.sequence < $1.sequence }
            #expect(told.map(\.sequence) == Array(1...7))
            #expect(
                told.map(\.messageID)
                    == told.sorted { ($0.createdAt, $0.messageID.rawValue) < ($1.createdAt, $1.messageID.rawValue) }
                    .map(\.messageID))
            #expect(try await webhooks.deliveries(at: all).allSatisfy { $0.state == .waiting && $0.dueAt != nil })
            let missed = try await webhooks.deliveries(at: disabled)
            #expect(
                missed.count == 6 && missed.allSatisfy { $0.state == .disabled && $0.dueAt == nil && $0.endedAt != nil }
            )
            // The places go on behind those that were given.
            try await webhooks.publish(webhooks.message("invoice.paid", in: mine, after: 9))
            #expect(try await webhooks.spread() == 1)
            #expect(try await webhooks.deliveries(at: all).first?.sequence == 7)
            #expect(try await webhooks.deliveries(at: operators).first?.sequence == 8)
        }
    }

    @Test("Nobody waits behind another workspace's heap of messages", arguments: storesUnderTest)
    func aHeapDelaysNobody(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let webhooks = WebhookSamples(store: store, samples: samples)
            var endpoints: [WebhookEndpoint] = []
            for place in 0..<3 {
                let id = try await store.addAccount(samples, after: Int64(place)).workspaces[0].workspace.id
                try await Self.unlock(id, store, samples)
                endpoints.append(try await webhooks.endpoint(of: id, events: ["a.b"]))
            }
            let operators = try await webhooks.endpoint(of: nil, events: ["a.b"])
            _ = try await webhooks.spread()
            for (place, count) in [20, 20, 3].enumerated() {
                let id = endpoints[place].workspaceID
                let messages = (0..<count).map { _ in webhooks.message("a.b", in: id, after: Int64(place)) }
                _ = try await store.enqueue(messages, by: .commandLine, audit: samples.event(.eventsPublished))
            }
            // As much of each as there is room for.
            for wanted in [[2, 2, 2], [4, 4, 3], [7, 7, 3]] {
                _ = try await store.spreadMessages(limit: 6, now: WebhookSamples.now)
                var counts: [Int] = []
                for endpoint in endpoints { counts.append(try await webhooks.deliveries(at: endpoint).count) }
                #expect(counts == wanted)
            }
            let told = try await webhooks.deliveries(at: operators).map(\.sequence).sorted()
            #expect(told == Array(1...17))
            while try await store.spreadMessages(limit: 5, now: WebhookSamples.now) > 0 {}
            #expect(try await webhooks.deliveries(at: operators).map(\.sequence).sorted() == Array(1...43))
        }
    }

    @Test("Of a person whose account is gone nothing is queued", arguments: storesUnderTest)
    func nothingIsToldOfThePersonWhoIsGone(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let webhooks = WebhookSamples(store: store, samples: samples)
            let (owner, person) = (try await store.addAccount(samples), try await store.addAccount(samples, after: 1))
            let workspaceID = owner.workspaces[0].workspace.id
            func message() -> NewWebhookMessage {
                NewWebhookMessage(
                    id: .random(from: samples.random, at: WebhookSamples.now), event: EventName(rawValue: "a.b"),
                    workspaceID: workspaceID, userID: person.user.id, at: WebhookSamples.now, object: Array("{}".utf8))
            }
            try await webhooks.publish(message())
            _ = try await store.deleteAccount(person.user.id, audit: samples.event(.userDeleted, user: person.user.id))
            await expect(.notFound) { try await webhooks.publish(message()) }
            // What was queued before went with the account; the events of its own deletion name nobody.
            let endpoint = try await webhooks.endpoint(of: workspaceID, events: ["a.b"])
            _ = try await webhooks.spread()
            #expect(try await webhooks.deliveries(at: endpoint).isEmpty)
        }
    }

    /// Moves a workspace to a plan: `pro` has the API, `free` does not.
    static func unlock(_ id: WorkspaceID, _ store: any Store, _ samples: Samples, plan: String = "pro") async throws {
        for plan in Plan.defaultCatalogue {
            _ = await applied(try await store.putPlan(plan, by: .commandLine, audit: samples.event(.planPut)))
        }
        _ = await applied(
            try await store.setPlan(
                PlanID(rawValue: plan), of: id, by: .commandLine, needs: nil,
                audit: samples.event(.planChanged, workspace: id)))
    }

    @Test(arguments: storesUnderTest)
    func anEventIsQueuedOnceWhateverIsSentAgain(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples in
            let webhooks = WebhookSamples(store: first, samples: samples)
            let account = try await first.addAccount(samples)
            let workspaceID = account.workspaces[0].workspace.id
            let sent = try await webhooks.publish(webhooks.message("invoice.paid", in: workspaceID, source: "ws 1"))
            #expect(sent[0].isNew)
            let elsewhere = WebhookSamples(store: second, samples: samples)
            let again = try await elsewhere.publish(
                elsewhere.message("invoice.paid", in: workspaceID, source: "ws 1"),
                elsewhere.message("invoice.paid", in: workspaceID, source: "ws 2"))
            #expect(again[0].id == sent[0].id && !again[0].isNew && again[1].isNew)
            // Nobody gets it: it is known all the same.
            #expect(try await webhooks.spread() == 2)
            let third = try await webhooks.publish(webhooks.message("invoice.paid", in: workspaceID, source: "ws 1"))
            #expect(third[0].id == sent[0].id && !third[0].isNew)
        }
    }

    @Test(arguments: storesUnderTest)
    func whatIsDoneIsToldInItsTransactionAndToWhomItConcerns(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let webhooks = WebhookSamples(store: store, samples: samples)
            let account = try await store.addAccount(samples)
            let workspaceID = account.workspaces[0].workspace.id
            try await Self.unlock(workspaceID, store, samples)
            let mine = try await webhooks.endpoint(of: workspaceID)
            let operators = try await webhooks.endpoint(of: nil)
            // A person's key is the person's and the operator's business.
            _ = try await store.replaceKey(
                samples.replacement(of: account),
                audit: samples.event(.keyRegenerated, user: account.user.id, workspace: workspaceID))
            // The same version again changes nothing, and nobody is told.
            _ = try? await store.replaceKey(
                samples.replacement(of: account), audit: samples.event(.keyRegenerated, user: account.user.id))
            #expect(try await webhooks.spread() == 1)
            #expect(try await webhooks.deliveries(at: mine).isEmpty)
            let told = try await webhooks.deliveries(at: operators)
            #expect(told.map(\.event.rawValue) == ["key.regenerated"])
            let found = try #require(try await store.webhookDelivery(told[0].messageID, at: operators.id))
            let body = String(decoding: found.body, as: UTF8.self)
            #expect(body.contains(#""userId":"\#(account.user.id)""#) && body.contains(#""workspaceId":null"#))
            #expect(!body.contains(account.user.email.rawValue))
            // A plan is the workspace's.
            try await Self.unlock(workspaceID, store, samples, plan: "free")
            #expect(try await webhooks.spread() == 1)
            #expect(try await webhooks.deliveries(at: mine).map(\.event.rawValue) == ["plan.changed"])
            #expect(try await webhooks.deliveries(at: mine).first?.state == .locked)
            #expect(try await webhooks.deliveries(at: operators).count == 2)
        }
    }

    @Test(arguments: storesUnderTest)
    func theListIsPagedAndFiltered(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let webhooks = WebhookSamples(store: store, samples: samples)
            let endpoint = try await webhooks.endpoint(of: nil)
            for index in 0..<7 {
                try await webhooks.publish(
                    webhooks.message(index % 2 == 0 ? "a.even" : "a.odd", in: nil, after: Int64(index / 3)))
            }
            #expect(try await webhooks.spread() == 7)
            let claimed = try await webhooks.claim(endpoint, 2)
            try await store.record(claimed.map { webhooks.record($0, status: 200) }, now: WebhookSamples.now)
            func pages(_ change: (inout DeliveryFilter) -> Void) async throws -> [WebhookDelivery] {
                var (all, filter) = ([WebhookDelivery](), DeliveryFilter(endpointID: endpoint.id, limit: 2))
                change(&filter)
                while true {
                    let page = try await store.webhookDeliveries(filter)
                    all += page
                    guard page.count == 2, let last = page.last else { return all }
                    filter.after = (last.createdAt, last.messageID)
                }
            }
            let all = try await pages { _ in }
            #expect(Set(all.map(\.messageID)).count == 7)
            #expect(zip(all, all.dropFirst()).allSatisfy { $0.createdAt >= $1.createdAt })
            #expect(try await pages { $0.state = .delivered }.count == 2)
            #expect(try await pages { $0.event = EventName(rawValue: "a.odd") }.count == 3)
            let both = try await pages {
                $0.event = EventName(rawValue: "a.even")
                $0.state = .waiting
            }
            #expect(both == all.filter { $0.event.rawValue == "a.even" && $0.state == .waiting })
        }
    }

    @Test(arguments: storesUnderTest)
    func theCatalogueIsKept(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let name = EventName(rawValue: "invoice.paid")
            for text in ["An invoice was paid.", "Paid."] {
                try await store.putEventType(
                    EventType(name: name, description: text, example: #"{"a":1}"#, updatedAt: WebhookSamples.now),
                    by: .commandLine, audit: samples.event(.eventTypePut))
            }
            #expect(try await store.eventTypes().map(\.description) == ["Paid."])
            try await store.deleteEventType(name, by: .commandLine, audit: samples.event(.eventTypeDeleted))
            await expect(.notFound) {
                try await store.deleteEventType(name, by: .commandLine, audit: samples.event(.eventTypeDeleted))
            }
        }
    }
}
