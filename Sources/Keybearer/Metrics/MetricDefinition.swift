package import CoreMetrics

/// What a metric is: its name, what it counts, and its labels with all the values that they take.
///
/// Everything that is measured is in such a list, so no label can have a value that somebody else chooses.
package struct MetricDefinition: Sendable, Hashable {
    /// How its values behave.
    package enum Kind: String, Sendable, Hashable {
        /// It only grows, from 0 at the start of the process.
        case counter
        /// The same, kept by the system and read when somebody asks.
        case total
        /// It goes up and down.
        case gauge
        /// Durations in seconds, counted by how long they are.
        case histogram
    }

    /// A label and its values.
    package struct Label: Sendable, Hashable {
        package let name: String
        package let values: [String]

        /// - Parameter values: all that there are.
        package init(_ name: String, _ values: [String]) {
            (self.name, self.values) = (name, values)
        }
    }

    /// The name by Prometheus' conventions: with its unit, and `_total` behind a counter.
    package let name: String
    package let kind: Kind
    /// What it says, as a sentence without a line break.
    package let help: String
    package let labels: [Label]

    /// Puts a definition together.
    package init(_ name: String, _ kind: Kind, _ help: String, labels: [Label] = []) {
        self.name = name
        self.kind = kind
        self.help = help
        self.labels = labels
    }

    /// Its kind as Prometheus calls it.
    package var type: String { kind == .total ? "counter" : kind.rawValue }

    /// Every combination of the labels' values, in their order; one without labels where there are none.
    package var series: [[(String, String)]] {
        labels.reduce([[]]) { combinations, label in
            combinations.flatMap { combination in label.values.map { combination + [(label.name, $0)] } }
        }
    }

    /// The upper bounds of a histogram's buckets, in seconds: from what memory answers to what a client no longer waits for.
    package static let bounds: [Double] = [
        0.000_001, 0.000_002_5, 0.000_005, 0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5,
        0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15,
    ]
}

extension MetricDefinition {
    /// A counter of it.
    ///
    /// - Parameter values: the values of its labels, in their order.
    package func counter(_ values: String..., in factory: any MetricsFactory) -> Counter {
        Counter(label: name, dimensions: dimensions(values), factory: factory)
    }

    /// A counter for each value of its one label.
    package func counters(in factory: any MetricsFactory) -> [String: Counter] {
        let values = labels.first?.values ?? []
        return Dictionary(uniqueKeysWithValues: values.map { ($0, counter($0, in: factory)) })
    }

    /// A gauge of it.
    package func meter(_ values: String..., in factory: any MetricsFactory) -> Meter {
        Meter(label: name, dimensions: dimensions(values), factory: factory)
    }

    /// A histogram of it.
    package func timer(_ values: String..., in factory: any MetricsFactory) -> Timer {
        Timer(label: name, dimensions: dimensions(values), factory: factory)
    }

    private func dimensions(_ values: [String]) -> [(String, String)] {
        Array(zip(labels.map(\.name), values))
    }
}
