import Keybearer

/// What happened between two readings of a server, as lines for a person.
struct MetricsPicture {
    let earlier: MetricsReading
    let now: MetricsReading
    /// Where it was read.
    let place: String

    private static let verdicts = "keybearer_verdicts_total"
    private static let decisions = "keybearer_decision_seconds"

    var lines: [String] {
        [head, ""] + requests + [""] + state
    }

    private var head: String {
        let started = now.value("process_start_time_seconds").map { start in
            Duration.seconds(max(0, Double(Clocks.system.wall().millisecondsSinceEpoch) / 1_000 - start))
        }
        return "Keybearer \(now.version) at \(place)" + (started.map { ", up \(Self.span($0))" } ?? "")
    }

    /// A table: what became of requests, by where they came.
    private var requests: [String] {
        let surfaces = now.values(of: "surface", in: Self.verdicts)
        var rows = [["requests a second"] + surfaces]
        for verdict in now.values(of: "verdict", in: Self.verdicts) {
            let rates = surfaces.map {
                now.rate(Self.verdicts, ["surface": $0, "verdict": verdict], since: earlier)
            }
            // What does not happen is left out, but for the two that one looks for.
            guard rates.contains(where: { $0 > 0 }) || verdict == "admitted" || verdict == "unauthorized" else {
                continue
            }
            rows.append([verdict.replacing("_", with: " ")] + rates.map(Self.number))
        }
        for (name, part) in [("half decided in", 0.5), ("99 % decided in", 0.99)] {
            rows.append(
                [name]
                    + surfaces.map { surface in
                        now.quantile(part, of: Self.decisions, ["surface": surface], since: earlier)
                            .map { "< \(Self.duration($0))" } ?? "-"
                    })
        }
        let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            row.indices.map { column in
                let padding = String(repeating: " ", count: widths[column] - row[column].count)
                return column == 0 ? row[column] + padding : padding + row[column]
            }.joined(separator: "  ")
        }
    }

    /// How everything else stands, a line for each part of the server.
    private var state: [String] {
        func gauge(_ name: String, _ labels: [String: String] = [:]) -> String {
            now.value(name, labels).map(Self.number) ?? "-"
        }
        func rate(_ name: String, _ labels: [String: String] = [:]) -> String {
            Self.number(now.rate(name, labels, since: earlier))
        }
        func slow(_ name: String, _ labels: [String: String] = [:]) -> String {
            now.quantile(0.99, of: name, labels, since: earlier).map { ", 99 % in < \(Self.duration($0))" } ?? ""
        }
        let isHeld = now.value("keybearer_lease_held") == 1
        let listeners = now.values(of: "listener", in: "keybearer_connections").map { listener in
            let labels = ["listener": listener]
            return
                "\(listener) \(gauge("keybearer_connections", labels)) of \(gauge("keybearer_connections_limit", labels))"
        }
        var lines = [
            "lease         " + (isHeld ? "held" : "LOST: nothing is decided")
                + "; \(rate("keybearer_changes_applied_total")) changes a second",
            "key cache     \(gauge("keybearer_cached_accounts")) of \(gauge("keybearer_cached_accounts_limit")) accounts; "
                + "\(rate("keybearer_cold_requests_total")) cold requests a second",
            "database      \(rate("keybearer_store_seconds_count", ["kind": "read"])) reads a second"
                + slow("keybearer_store_seconds", ["kind": "read"])
                + "; \(rate("keybearer_store_seconds_count", ["kind": "write"])) writes"
                + slow("keybearer_store_seconds", ["kind": "write"])
                + "; \(rate("keybearer_store_failures_total")) failures",
            "webhooks      \(gauge("keybearer_webhook_messages_new")) new, \(gauge("keybearer_webhook_deliveries_waiting")) waiting; "
                + "\(rate("keybearer_webhook_attempts_total")) attempts a second"
                + slow("keybearer_webhook_attempt_seconds"),
            "mails         \(gauge("keybearer_mails_waiting")) waiting",
            "connections   " + listeners.joined(separator: ", "),
        ]
        if let bytes = now.value("process_resident_memory_bytes") {
            let share = now.rate("process_cpu_seconds_total", since: earlier) * 100
            lines.append(
                "process       \(Self.number((bytes / 1_048_576).rounded())) MiB, \(Self.number(share.rounded())) % of a processor, "
                    + "\(gauge("process_open_fds")) of \(gauge("process_max_fds")) files")
        }
        return lines
    }

    /// Up to three digits that say something, and no more behind the point than one.
    static func number(_ value: Double) -> String {
        guard value.isFinite else { return "-" }
        let tenths = (value * 10).rounded()
        guard abs(tenths) < 1_000, tenths.truncatingRemainder(dividingBy: 10) != 0 else {
            return Int64(exactly: value.rounded()).map { "\($0)" } ?? "-"
        }
        return "\(tenths / 10)"
    }

    static func duration(_ seconds: Double) -> String {
        let (value, unit) =
            switch seconds {
            case ..<0.001: (seconds * 1e6, "us")
            case ..<1: (seconds * 1e3, "ms")
            default: (seconds, "s")
            }
        return "\(number(value)) \(unit)"
    }

    private static func span(_ duration: Duration) -> String {
        let minutes = duration.components.seconds / 60
        switch minutes {
        case 1_440...: return "\(minutes / 1_440) d \(minutes / 60 % 24) h"
        case 60...: return "\(minutes / 60) h \(minutes % 60) min"
        default: return "\(minutes) min"
        }
    }
}
