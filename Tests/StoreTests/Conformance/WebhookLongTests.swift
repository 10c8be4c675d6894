import Foundation
import GRDB
import KeybearerPostgres
import KeybearerSQL
import KeybearerSQLite
import Synchronization
import TestSupport
import Testing

@testable import Keybearer

/// A million deliveries: `make test-long` runs it, and `make test` leaves it out by name.
@Suite struct WebhookLongTests {
    private static let count = 1_000_000
    private static let endpoints = 10
    /// Older than what is kept.
    private static let old = 100_000

    private let directory: TemporaryDirectory
    private let samples = Samples(seed: 72)
    private let now = Timestamp(millisecondsSinceEpoch: Int64(Date().timeIntervalSince1970 * 1_000))

    init() throws { directory = try TemporaryDirectory() }

    /// Messages from 40 days ago, the last of them now: a tenth is older than 30 days. Each went to one endpoint in one
    /// attempt; one of a hundred failed.
    private func rows(_ numbers: String, of ids: [WebhookEndpointID], bytes: String) -> [String] {
        let month: Int64 = 30 * 86_400_000
        let first = now.millisecondsSinceEpoch
        let time = """
            CASE WHEN i <= \(Self.old) THEN \(first - month - 86_400_000) + i
            ELSE \(first - month + 3_600_000) + i * 2 END
            """
        let cases = ids.enumerated().map { "WHEN \($0) THEN '\($1)'" }.joined(separator: " ")
        let endpoint = "CASE i % \(Self.endpoints) \(cases) END"
        return [
            """
            INSERT INTO webhook_messages (id, event, workspace_id, created_at, body, spread_at)
            \(numbers) SELECT 'evt_many' || i, 'a.b', NULL, \(time), \(bytes), \(first) FROM n
            """,
            """
            INSERT INTO webhook_deliveries
                (endpoint_id, message_id, event, sequence, created_at, state, attempts, attempts_before, ended_at)
            \(numbers) SELECT \(endpoint), 'evt_many' || i, CASE WHEN i % 250000 = 9 THEN 'rare' ELSE 'a.b' END, i, \(time),
                CASE WHEN i % 100 = 9 THEN 'failed' ELSE 'delivered' END, 1, 0, \(first) FROM n
            """,
            """
            INSERT INTO webhook_attempts (message_id, endpoint_id, number, at, duration_ms, headers, status, response)
            \(numbers) SELECT 'evt_many' || i, \(endpoint), 1, \(first), 12, 'webhook-id: evt', 204, \(bytes) FROM n
            """,
        ]
    }

    private func pageTime(_ store: SQLStore, _ id: WebhookEndpointID) async throws -> Duration {
        var longest = Duration.zero
        for (event, state, count) in [
            (nil, nil, 51), (nil, .failed, 51), ("a.b", nil, 51), ("rare", .failed, 4), (nil, .locked, 0),
        ] as [(String?, WebhookDelivery.State?, Int)] {
            var filter = DeliveryFilter(endpointID: id, limit: 51)
            filter.event = event.map { EventName(rawValue: $0) }
            filter.state = state
            _ = try await store.webhookDeliveries(filter)
            let begun = SteadyTime.systemNow()
            let found = try await store.webhookDeliveries(filter)
            let time = begun.duration(to: .systemNow())
            print(
                "deliveries of \(event ?? "all events"), \(state?.rawValue ?? "all states"): \(found.count) in \(time)")
            #expect(found.count == count)
            longest = max(longest, time)
        }
        return longest
    }

    /// Tells one task that another is done.
    private final class Flag: Sendable {
        let isSet = Lock(false)
    }

    /// Publishes all the time, and returns how often it did and how long the longest wait was.
    private func publish(_ webhooks: WebhookSamples, until done: Flag) async throws -> (Int, Duration) {
        var (count, longest) = (0, Duration.zero)
        while !done.isSet.withLock({ $0 }) {
            let begun = SteadyTime.systemNow()
            try await webhooks.publish(
                NewWebhookMessage(
                    id: .random(from: samples.random, at: now), event: EventName(rawValue: "a.b"), workspaceID: nil,
                    at: now, object: Array("{}".utf8)))
            longest = max(longest, begun.duration(to: .systemNow()))
            count += 1
        }
        return (count, longest)
    }

    @Test("A page of a million deliveries takes no longer than 100 ms; removing the old ones lets others write")
    func aMillion() async throws {
        let file = try SQLiteStore.openStore(path: directory.file("keybearer.db"), role: .server)
        let database = try PostgresDatabase()
        let shared = try database.open()
        for store in [file, shared] {
            let webhooks = WebhookSamples(store: store, samples: samples)
            var ids: [WebhookEndpointID] = []
            for _ in 0..<Self.endpoints { ids.append(try await webhooks.endpoint(of: nil).id) }
            if store === file {
                try await DatabaseQueue(path: directory.file("keybearer.db")).write { [ids] db in
                    let numbers =
                        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < \(Self.count))"
                    for statement in rows(numbers, of: ids, bytes: "X'7b7d'") { try db.execute(sql: statement) }
                }
            } else {
                let numbers = "WITH n AS (SELECT generate_series(1, \(Self.count)) AS i)"
                for statement in rows(numbers, of: ids, bytes: "'{}'::bytea") { try database.run(statement) }
            }
            #expect(try await pageTime(store, ids[9]) <= .milliseconds(100))
            let done = Flag()
            async let published = publish(webhooks, until: done)
            let begun = SteadyTime.systemNow()
            try await store.removeOldWebhookMessages(olderThan: DeliveryRules.usualRetention, now: now)
            let time = begun.duration(to: .systemNow())
            done.isSet.withLock { $0 = true }
            let (count, longest) = try await published
            print("\(Self.old) messages removed in \(time); \(count) published beside it, the longest wait \(longest)")
            for id in ids {
                var older = DeliveryFilter(endpointID: id, limit: 1)
                #expect(try await store.webhookDeliveries(older).count == 1)
                older.after = (now.advanced(by: .zero - DeliveryRules.usualRetention), WebhookMessageID(rawValue: ""))
                #expect(try await store.webhookDeliveries(older).isEmpty)
            }
            try store.close()
        }
    }
}
