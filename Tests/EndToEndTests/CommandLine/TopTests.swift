import Foundation
import Keybearer
import TestSupport
import Testing

@testable import KeybearerCLI

extension EndToEndTests {
    /// What `keybearer top` shows: the ``TopCommand`` by ``MetricsFetch``, a ``MetricsReading``, a ``MetricsPicture``.
    @Suite struct TopTests {
        private static func reading(_ text: String, at seconds: Int64) -> MetricsReading {
            MetricsReading(text, at: SteadyTime(nanoseconds: seconds * 1_000_000_000))
        }

        private static func text(admitted: Int, unauthorized: Int, fast: Int, all: Int) -> String {
            """
            # HELP keybearer_verdicts_total Requests.
            keybearer_verdicts_total{surface="gate",verdict="admitted"} \(admitted)
            keybearer_verdicts_total{surface="gate",verdict="unauthorized"} \(unauthorized)
            keybearer_verdicts_total{surface="gate",verdict="rate_limited"} 0
            keybearer_decision_seconds_bucket{surface="gate",le="0.00001"} \(fast)
            keybearer_decision_seconds_bucket{surface="gate",le="0.0025"} \(all)
            keybearer_decision_seconds_bucket{surface="gate",le="+Inf"} \(all)
            keybearer_lease_held 0
            keybearer_build_info{version="1.2.3"} 1
            not a line
            """
        }

        @Test func ratesAndQuantilesAreOfTheTimeBetweenTwoReadings() throws {
            let earlier = Self.reading(Self.text(admitted: 100, unauthorized: 5, fast: 100, all: 105), at: 10)
            let now = Self.reading(Self.text(admitted: 300, unauthorized: 6, fast: 250, all: 305), at: 12)
            let gate = ["surface": "gate"]
            #expect(now.rate("keybearer_verdicts_total", gate, since: earlier) == 100.5)
            #expect(now.quantile(0.5, of: "keybearer_decision_seconds", gate, since: earlier) == 0.00001)
            #expect(now.quantile(0.99, of: "keybearer_decision_seconds", gate, since: earlier) == 0.0025)
            #expect(now.quantile(0.99, of: "keybearer_decision_seconds", gate, since: now) == nil)
            // A server that was started again.
            #expect(earlier.rate("keybearer_verdicts_total", gate, since: Self.reading("", at: 9)) == 105)
            let again = Self.reading(Self.text(admitted: 10, unauthorized: 0, fast: 1, all: 1), at: 13)
            #expect(again.rate("keybearer_verdicts_total", gate, since: now) == 10)
            #expect(now.value("nothing") == nil && now.version == "1.2.3")

            let lines = MetricsPicture(earlier: earlier, now: now, place: "127.0.0.1:9464").lines
            #expect(lines.first == "Keybearer 1.2.3 at 127.0.0.1:9464")
            let words = lines.map { $0.split(separator: " ").joined(separator: " ") }
            for line in [
                "requests a second gate", "admitted 100", "unauthorized 0.5", "half decided in < 10 us",
                "99 % decided in < 2.5 ms",
            ] {
                #expect(words.contains(line), "\(line) is not among \(lines)")
            }
            #expect(!words.contains { $0.hasPrefix("rate limited") })
            #expect(lines.contains { $0.hasPrefix("lease         LOST") })
        }

        @Test func aRunningServerIsShown() throws {
            let files = try InstallationFiles()
            _ = try files.initialise()
            let socket = files.directory.file("metrics.sock")
            let server = try ServerProcess.serve(files, ["--metrics-address", "unix:\(socket)"])
            let shown = try CommandRunner.run(["top", "--once", "--metrics-address", "unix:\(socket)"])
            #expect(shown.status == 0, "\(shown.stderr)")
            #expect(shown.stdout.hasPrefix("Keybearer \(KeybearerVersion.current) at unix:\(socket), up 0 min\n"))
            for part in ["lease         held; ", "key cache     0 of 1000000 accounts", "public ", " MiB, "] {
                #expect(shown.stdout.contains(part), "\(shown.stdout)")
            }
            #expect(server.terminate() == 0)
        }
    }
}
