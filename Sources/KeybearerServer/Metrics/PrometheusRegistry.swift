package import CoreMetrics
import Keybearer

/// Keeps what is measured, and writes it as Prometheus reads it.
///
/// It knows every metric, and every value of every label, from the start: what is not among them is dropped, so nothing that
/// a client chooses can become a label. Series stand at 0 before the first event.
package final class PrometheusRegistry: MetricsFactory {
    /// The version of the text format.
    static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    private enum Cell: Sendable {
        case counter(CounterCell)
        case gauge(GaugeCell)
        case histogram(HistogramCell)
    }

    private struct Series: Sendable {
        /// As they are written between braces; empty without labels.
        let labels: String
        let cell: Cell
    }

    private struct Family: Sendable {
        let definition: MetricDefinition
        let series: [Series]
    }

    private let families: [Family]
    private let cells: [String: Cell]

    /// Knows what a server measures.
    package convenience init() { self.init(NodeMetrics.definitions + ServerMetrics.definitions) }

    /// - Parameter definitions: every metric that there is, each name once.
    init(_ definitions: [MetricDefinition]) {
        var cells: [String: Cell] = [:]
        families = definitions.map { definition in
            let series = definition.series.map { values in
                let labels = Self.text(values)
                let cell: Cell =
                    switch definition.kind {
                    case .counter: .counter(CounterCell())
                    case .gauge, .total: .gauge(GaugeCell())
                    case .histogram: .histogram(HistogramCell(bounds: MetricDefinition.bounds))
                    }
                cells[definition.name + labels] = cell
                return Series(labels: labels, cell: cell)
            }
            return Family(definition: definition, series: series)
        }
        self.cells = cells
    }

    private static func text(_ labels: [(String, String)]) -> String {
        labels.map { name, value in
            let escaped = value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
            return "\(name)=\"\(escaped)\""
        }.joined(separator: ",")
    }

    private func cell(_ label: String, _ dimensions: [(String, String)]) -> Cell? {
        cells[label + Self.text(dimensions)]
    }

    /// All that is known now.
    package func text() -> String {
        var text = ""
        for family in families {
            let definition = family.definition
            text += "# HELP \(definition.name) \(definition.help.replacing("\\", with: "\\\\"))\n"
            text += "# TYPE \(definition.name) \(definition.type)\n"
            for series in family.series { Self.write(series, of: definition.name, to: &text) }
        }
        return text
    }

    private static func write(_ series: Series, of name: String, to text: inout String) {
        let braces = series.labels.isEmpty ? "" : "{\(series.labels)}"
        switch series.cell {
        case .counter(let cell): text += "\(name)\(braces) \(cell.value)\n"
        case .gauge(let cell):
            if let value = cell.value { text += "\(name)\(braces) \(number(value))\n" }
        case .histogram(let cell):
            let (cumulative, sum) = cell.value
            let comma = series.labels.isEmpty ? "" : ","
            for (count, bound) in zip(cumulative, MetricDefinition.bounds.map(number) + ["+Inf"]) {
                text += "\(name)_bucket{\(series.labels)\(comma)le=\"\(bound)\"} \(count)\n"
            }
            text += "\(name)_sum\(braces) \(number(sum))\n\(name)_count\(braces) \(cumulative.last ?? 0)\n"
        }
    }

    /// Whole numbers without a point.
    private static func number(_ value: Double) -> String {
        Int64(exactly: value).map { "\($0)" } ?? "\(value)"
    }

    // What other libraries measure is not in the list, and is dropped.

    package func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        if case .counter(let cell)? = cell(label, dimensions) { cell } else { NOOPMetricsHandler.instance }
    }

    package func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        if case .gauge(let cell)? = cell(label, dimensions) { cell } else { NOOPMetricsHandler.instance }
    }

    package func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        if case .histogram(let cell)? = cell(label, dimensions) { cell } else { NOOPMetricsHandler.instance }
    }

    package func makeRecorder(
        label: String, dimensions: [(String, String)], aggregate: Bool
    ) -> any RecorderHandler { NOOPMetricsHandler.instance }

    package func destroyCounter(_ handler: any CounterHandler) {}
    package func destroyRecorder(_ handler: any RecorderHandler) {}
    package func destroyTimer(_ handler: any TimerHandler) {}
    package func destroyMeter(_ handler: any MeterHandler) {}
}
