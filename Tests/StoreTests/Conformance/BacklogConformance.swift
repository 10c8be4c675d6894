import Keybearer
import KeybearerSQL
import Synchronization
import TestSupport
import Testing

/// The ``ObservedStore`` on every engine: what waits (``Backlog``), and each piece of ``StoreWork`` told once.
@Suite struct BacklogConformance {
    @Test(arguments: storesUnderTest)
    func whatWaitsIsCountedWithItsAge(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let webhooks = WebhookSamples(store: store, samples: samples)
            let now = WebhookSamples.now
            let none = StoreBacklog.Queue(count: 0, age: .zero)
            #expect(
                try await store.backlog(now: now)
                    == StoreBacklog(sessions: 0, mails: none, newMessages: none, deliveries: none))
            let endpoint = try await webhooks.endpoint(of: nil)
            for second in Int64(0)..<3 {
                try await webhooks.publish(webhooks.message("a.b", in: nil, after: second - 30))
            }
            #expect(
                try await store.backlog(now: now).newMessages == StoreBacklog.Queue(count: 3, age: .seconds(30)))
            _ = try await webhooks.spread()
            let spread = try await store.backlog(now: now.advanced(by: .seconds(7)))
            #expect(spread.newMessages == none)
            #expect(spread.deliveries == StoreBacklog.Queue(count: 3, age: .seconds(7)))
            // Nobody waits for what a disabled webhook does not get.
            _ = try await webhooks.update(endpoint, isEnabled: false)
            #expect(try await store.backlog(now: now).deliveries == none)

            let account = try await store.addAccount(samples)
            let mail = NewMail(
                id: .random(from: samples.random), .verifyEmail, to: .address(account.user.email, of: account.user.id),
                at: now)
            try await store.addMail(mail)
            #expect(
                try await store.backlog(now: now.advanced(by: .seconds(5))).mails
                    == StoreBacklog.Queue(count: 1, age: .seconds(5)))
        }
    }

    @Test(arguments: storesUnderTest)
    func whatAStoreDoesIsTold(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let work = Told()
            store.observation.begin { work.add($0) }
            _ = try await store.account(id: UserID.random(from: samples.random))
            #expect(work.take().map(\.kind) == [.read])
            let new = samples.newAccount()
            _ = try await store.add(new, samples)
            #expect(work.take().contains { $0.kind == .write && $0.failure == nil })
            // A refusal says nothing of the database.
            await expect(.conflict) { _ = try await store.add(new, samples) }
            let refused = work.take()
            #expect(!refused.isEmpty && refused.allSatisfy { $0.failure == nil })
        }
    }

    @Test func anErrorIsToldByItsKind() async throws {
        let (observation, work) = (StoreObservation(), Told())
        observation.begin { work.add($0) }
        let full = StoreFailure(.diskFull, "cannot use", "a place", "it is full", advice: "Make room.")
        for (error, expected) in [
            (KeybearerError(full), StoreFailure.Kind.diskFull), (KeybearerError(.conflict, "Taken."), nil),
            (KeybearerError(.unavailable, "Later."), .unknown),
        ] {
            await expect(error.code) { try await observation.observing(.write) { throw error } }
            #expect(work.take().map(\.failure) == [expected])
        }
        #expect(try await observation.observing(.read) { 7 } == 7)
        #expect(work.take().map(\.failure) == [nil])
    }
}

/// What was told.
private final class Told: Sendable {
    private let all = Lock<[StoreWork]>([])

    func add(_ work: StoreWork) { all.withLock { $0.append(work) } }

    func take() -> [StoreWork] {
        all.withLock { all in
            defer { all = [] }
            return all
        }
    }
}
