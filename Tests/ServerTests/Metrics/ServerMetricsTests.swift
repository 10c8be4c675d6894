import Foundation
import HTTPTypes
import KeybearerSQL
import KeybearerSQLite
import TestSupport
import Testing

@testable import Keybearer
@testable import KeybearerServer

/// The ``ServerMetrics``, ``VerdictMetrics``, ``NodeMetrics``, ``ProcessState`` and ``MetricsHandlers``, on their own one of the
/// ``Listeners``.
@Suite struct ServerMetricsTests {
    private static func fixture(tls: (certificateFile: String, keyFile: String)? = nil) throws -> ServerFixture {
        try ServerFixture(tls: tls) { edge, domain in
            edge.metricsAddress = .network(host: "127.0.0.1", port: 0)
            domain.metrics = PrometheusRegistry()
        }
    }

    private static func read(_ wire: WireClient) async throws -> [String: Double] {
        let response = try await WireClient(port: wire.metricsPort).send(WireRequest(path: "/metrics"), over: .http1)
        #expect(response.status == 200)
        #expect(response.values("content-type") == ["text/plain; version=0.0.4; charset=utf-8"])
        let lines = response.text.split(separator: "\n").filter { !$0.hasPrefix("#") }
        return Dictionary(
            uniqueKeysWithValues: lines.compactMap { line in
                guard let space = line.lastIndex(of: " ") else { return nil }
                return Double(line[line.index(after: space)...]).map { (String(line[..<space]), $0) }
            })
    }

    @Test("Metrics are on their own listener alone, with the probes and nothing else")
    func apart() async throws {
        let fixture = try Self.fixture()
        try await fixture.listening { wire in
            let own = WireClient(port: wire.metricsPort)
            func status(_ path: String) async throws -> Int {
                try await own.send(WireRequest(path: path), over: .http1).status
            }
            for path in ["/metrics", "/healthz", "/readyz"] {
                let status = try await status(path)
                #expect(status == 200, "\(path)")
            }
            for path in ["/", "/api/v1/me", "/operator/v1/users", "/openapi.json", "/docs", "/sign-in"] {
                let status = try await status(path)
                #expect(status != 200, "\(path)")
            }
            #expect(try await wire.send(WireRequest(path: "/metrics"), over: .http1).status == 404)
            var posted = WireRequest(path: "/metrics")
            posted.method = "POST"
            #expect(try await own.send(posted, over: .http1).status != 200)
        }
        let without = try ServerFixture()
        try await without.listening { wire in
            #expect(wire.metricsPort == 0)
            let status = try await wire.send(WireRequest(path: "/metrics"), over: .http1).status
            #expect(status == 404)
        }
    }

    @Test("Every request with a key is counted once, by surface and verdict, and none of it names anyone")
    func verdicts() async throws {
        let fixture = try Self.fixture()
        let client = try await OperatorClient(fixture)
        let (account, key) = try await fixture.account("ada@example.com")
        let (_, locked) = try await fixture.account("bob@example.com", isEntitled: false)
        try await fixture.listening { wire in
            func status(of key: String?, over way: Wire) async throws -> Int {
                let headers = key.map { [("Authorization", "Bearer \($0)")] } ?? []
                return try await wire.send(WireRequest(headers: headers), over: way).status
            }
            for way in [Wire.http1, .gate] {
                for _ in 0..<3 { #expect(try await status(of: key, over: way) == 200) }
                #expect(try await status(of: locked, over: way) == 403)
                #expect(try await status(of: nil, over: way) == 401)
                #expect(try await status(of: "tdc_nothing", over: way) == 401)
            }
            let asked = try await client.send(
                .post, "/introspect", "token=\(key)", type: "application/x-www-form-urlencoded")
            #expect(asked.status == 200)
            let values = try await Self.read(wire)
            func verdicts(_ surface: String, _ verdict: String) -> Double? {
                values["keybearer_verdicts_total{surface=\"\(surface)\",verdict=\"\(verdict)\"}"]
            }
            for surface in ["api", "gate"] {
                #expect(verdicts(surface, "admitted") == 3, "\(surface)")
                #expect(verdicts(surface, "feature_locked") == 1, "\(surface)")
                #expect(verdicts(surface, "unauthorized") == 2, "\(surface)")
                #expect(values["keybearer_decision_seconds_count{surface=\"\(surface)\"}"] == 6, "\(surface)")
                #expect(verdicts(surface, "rate_limited") == 0)
            }
            #expect(verdicts("introspection", "admitted") == 1)
            #expect(values["keybearer_responses_total{area=\"api\",status=\"2xx\"}"] == 3)
            #expect(values["keybearer_responses_total{area=\"api\",status=\"4xx\"}"] == 3)
            // The first of each key needed the account, and quota.
            #expect((values["keybearer_cold_requests_total{need=\"account\"}"] ?? 0) >= 2)
            #expect((values["keybearer_cached_accounts"] ?? 0) >= 2)
            #expect(values["keybearer_lease_held"] == 1)
            #expect((values["keybearer_lease_remaining_seconds"] ?? 0) > 0)
            #expect((values["keybearer_store_seconds_count{kind=\"read\"}"] ?? 0) > 0)
            #expect((values["keybearer_store_seconds_count{kind=\"write\"}"] ?? 0) > 0)
            #expect((values["keybearer_connections{listener=\"metrics\"}"] ?? 0) >= 1)
            #expect((values["keybearer_connections_limit{listener=\"public\"}"] ?? 0) > 100)
            #expect(values["keybearer_build_info{version=\"\(KeybearerVersion.current)\"}"] == 1)
            let text = values.keys.joined()
            for secret in [key, locked, account.user.id.rawValue, "ada", "tdc_"] { #expect(!text.contains(secret)) }
        }
    }

    @Test("A node without a lease says so")
    func withoutLease() async throws {
        let fixture = try Self.fixture()
        // Before the first step there is none, and the clock stands far from where it would end.
        fixture.services.node?.observe()
        let text = try #require(fixture.services.node?.metrics.factory as? PrometheusRegistry).text()
        #expect(text.contains("\nkeybearer_lease_held 0\n") && text.contains("\nkeybearer_lease_remaining_seconds 0\n"))
    }

    @Test("The process, and a database that is gone")
    func process() async throws {
        let fixture = try Self.fixture()
        try await fixture.listening { wire in
            let values = try await Self.read(wire)
            #expect((values["process_resident_memory_bytes"] ?? 0) > 10_000_000)
            #expect((values["process_open_fds"] ?? 0) > 10)
            #expect((values["process_cpu_seconds_total"] ?? 0) > 0)
            #expect(abs((values["process_start_time_seconds"] ?? 0) - Date().timeIntervalSince1970) < 86_400)
            #expect(values["keybearer_certificate_end_timestamp_seconds"] == nil)
            fixture.store.observation.report(StoreWork(.write, duration: .seconds(1), failure: .diskFull))
            let later = try await Self.read(wire)
            #expect(later["keybearer_store_failures_total{kind=\"diskFull\"}"] == 1)
            #expect(later["keybearer_store_failures_total{kind=\"unreachable\"}"] == 0)
        }
        #expect(ProcessState.values(ofStat: "1 (a) b (c)) S 2 3")?.map(String.init) == ["S", "2", "3"])
        #expect(ProcessState.values(ofStat: "nothing") == nil)
    }

    @Test("What waits in the database is counted; the end of the certificate is known")
    func backlog() async throws {
        let (directory, certificate, key) = try ServerFixture.certificate()
        let fixture = try Self.fixture(tls: (certificate, key))
        _ = directory
        try await fixture.listening { wire in
            await fixture.services.node?.measure()
            let values = try await Self.read(wire)
            for name in [
                "sessions", "mails_waiting", "webhook_messages_new", "webhook_deliveries_waiting",
                "webhook_delivery_overdue_seconds",
            ] { #expect(values["keybearer_\(name)"] == 0, "\(name)") }
            let end = values["keybearer_certificate_end_timestamp_seconds"] ?? 0
            #expect(end > Date().timeIntervalSince1970 && end < Date().timeIntervalSince1970 + 3 * 86_400)
        }
    }

    @Test("Attempts of mails and webhooks by what became of them")
    func attempts() {
        let replies: [(WebhookReply, WebhookTry)] = [
            (WebhookReply(status: 204, body: [], retryAfter: nil, address: nil), .delivered),
            (WebhookReply(status: 500, body: [], retryAfter: nil, address: nil), .refused),
            (WebhookReply(.timedOut), .failed), (WebhookReply(.ours), .ours),
        ]
        for (reply, expected) in replies { #expect(WebhookTry(reply) == expected) }
        #expect(MailTry(.sent) == .sent && MailTry(.givenUp) == .givenUp && MailTry(.void) == .void)
        let registry = PrometheusRegistry()
        let metrics = NodeMetrics(factory: registry)
        metrics.record(WebhookReply(.timedOut), after: .seconds(15))
        metrics.recordMail(.failed)
        metrics.recordHash(nil)
        metrics.recordHash(.milliseconds(300))
        metrics.recordLeaseLoss()
        metrics.recordChanges(4)
        let text = registry.text()
        for line in [
            "keybearer_webhook_attempts_total{outcome=\"failed\"} 1", "keybearer_webhook_attempt_seconds_sum 15",
            "keybearer_mail_attempts_total{outcome=\"failed\"} 1", "keybearer_password_hashes_refused_total 1",
            "keybearer_password_hash_seconds_count 1", "keybearer_lease_losses_total 1",
            "keybearer_changes_applied_total 4",
        ] { #expect(text.contains("\n\(line)\n"), "\(line)") }
    }
}
