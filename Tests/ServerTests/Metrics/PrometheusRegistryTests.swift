import CoreMetrics
import Testing

@testable import Keybearer
@testable import KeybearerServer

/// The ``PrometheusRegistry`` with its ``MetricCell``s and each ``MetricDefinition``.
@Suite struct PrometheusRegistryTests {
    private static let kept = MetricDefinition(
        "things_total", .counter, "Things.", labels: [.init("kind", ["good", "b\\a\"d"])])
    private static let level = MetricDefinition("level", .gauge, "A level.")
    private static let span = MetricDefinition("span_seconds", .histogram, "Spans.", labels: [.init("side", ["left"])])

    @Test("Series stand at 0 from the start; a gauge is there when it is known")
    func start() {
        let registry = PrometheusRegistry([Self.kept, Self.level])
        #expect(
            registry.text() == """
                # HELP things_total Things.
                # TYPE things_total counter
                things_total{kind="good"} 0
                things_total{kind="b\\\\a\\"d"} 0
                # HELP level A level.
                # TYPE level gauge

                """)
        Self.level.meter(in: registry).set(2.5)
        Self.kept.counter("good", in: registry).increment(by: 3)
        #expect(registry.text().contains("\nlevel 2.5\n"))
        #expect(registry.text().contains("\nthings_total{kind=\"good\"} 3\n"))
        Self.level.meter(in: registry).increment(by: 0.5)
        Self.level.meter(in: registry).decrement(by: 2)
        #expect(registry.text().contains("\nlevel 1\n"))
    }

    @Test("What is not in the list is dropped: no label takes a value that somebody else chose")
    func closed() {
        let registry = PrometheusRegistry([Self.kept, Self.level])
        let before = registry.text()
        Self.kept.counter("tdc_something", in: registry).increment()
        Counter(label: "other", factory: registry).increment()
        Counter(label: "level", factory: registry).increment()
        Timer(label: "things_total", dimensions: [("kind", "good")], factory: registry).recordNanoseconds(1)
        Recorder(label: "level", dimensions: [], aggregate: true, handler: NOOPMetricsHandler.instance).record(1)
        #expect(registry.text() == before)
    }

    @Test("A counter never goes back")
    func counters() {
        let registry = PrometheusRegistry([Self.kept])
        let counter = Self.kept.counter("good", in: registry)
        counter.increment(by: 5)
        counter.increment(by: -3)
        counter.reset()
        #expect(registry.text().contains("{kind=\"good\"} 5\n"))
    }

    @Test("A histogram counts a span in every bucket that is not shorter, and sums seconds")
    func histograms() {
        let registry = PrometheusRegistry([Self.span])
        let timer = Self.span.timer("left", in: registry)
        for nanoseconds: Int64 in [1_000, 1_001, 250_000_000, 60_000_000_000, -1] {
            timer.record(.nanoseconds(nanoseconds))
        }
        let lines = registry.text().split(separator: "\n").map(String.init)
        func bucket(_ bound: String) -> String? {
            lines.first { $0.hasPrefix("span_seconds_bucket{side=\"left\",le=\"\(bound)\"} ") }
                .map { String($0.split(separator: " ")[1]) }
        }
        #expect(bucket("1e-06") == "2" && bucket("2.5e-06") == "3")
        #expect(bucket("0.1") == "3" && bucket("0.25") == "4" && bucket("15") == "4" && bucket("+Inf") == "5")
        #expect(lines.contains("span_seconds_count{side=\"left\"} 5"))
        let sum = lines.first { $0.hasPrefix("span_seconds_sum") }.flatMap { Double($0.split(separator: " ")[1]) }
        #expect(abs((sum ?? 0) - 60.250_002_001) < 1e-9)
    }

    @Test("Names follow Prometheus' conventions and are there once")
    func names() {
        let all = ServerMetrics.all
        #expect(Set(all.map(\.name)).count == all.count)
        for metric in all {
            #expect(metric.name.wholeMatch(of: /(keybearer|process)(_[a-z]+)+/) != nil, "\(metric.name)")
            #expect(metric.name.hasSuffix("_total") == (metric.type == "counter"), "\(metric.name)")
            if metric.kind == .histogram { #expect(metric.name.hasSuffix("_seconds")) }
            #expect(metric.help.hasSuffix(".") && !metric.help.contains("\n"), "\(metric.name)")
            #expect(metric.series.count <= 60, "\(metric.name)")
        }
    }
}
