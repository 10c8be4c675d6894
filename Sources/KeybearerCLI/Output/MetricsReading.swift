import Keybearer

/// What a server said of itself at one moment.
struct MetricsReading: Sendable {
    private struct Series: Sendable {
        let labels: [String: String]
        let value: Double
    }

    private let series: [String: [Series]]
    /// When it was read.
    let at: SteadyTime

    /// - Parameter text: in Prometheus' text format, as this server writes it. Lines that cannot be read are left out.
    init(_ text: String, at: SteadyTime) {
        self.at = at
        var series: [String: [Series]] = [:]
        for line in text.split(separator: "\n") where !line.hasPrefix("#") {
            guard let blank = line.lastIndex(of: " "), let value = Double(line[line.index(after: blank)...]) else {
                continue
            }
            let key = line[..<blank]
            let name = key.prefix { $0 != "{" }
            var labels: [String: String] = [:]
            // No value of a label has a comma or a quotation mark in it.
            for pair in key.dropFirst(name.count + 1).dropLast().split(separator: ",") {
                let parts = pair.split(separator: "=", maxSplits: 1)
                if parts.count == 2 { labels[String(parts[0])] = String(parts[1].dropFirst().dropLast()) }
            }
            series[String(name), default: []].append(Series(labels: labels, value: value))
        }
        self.series = series
    }

    /// The sum of all series of a name with these labels; nil where there are none.
    func value(_ name: String, _ labels: [String: String] = [:]) -> Double? {
        let found = (series[name] ?? []).filter { one in labels.allSatisfy { one.labels[$0.key] == $0.value } }
        return found.isEmpty ? nil : found.reduce(0) { $0 + $1.value }
    }

    /// The values that a label has.
    func values(of label: String, in name: String) -> [String] {
        var seen: Set<String> = []
        return (series[name] ?? []).compactMap { $0.labels[label] }.filter { seen.insert($0).inserted }
    }

    /// The version of the server.
    var version: String { values(of: "version", in: "keybearer_build_info").first ?? "?" }

    /// How much a counter grew each second since an earlier reading. A server that was started again counts from 0.
    func rate(_ name: String, _ labels: [String: String] = [:], since earlier: MetricsReading) -> Double {
        let seconds = earlier.at.duration(to: at) / .seconds(1)
        guard seconds > 0, let now = value(name, labels) else { return 0 }
        let before = earlier.value(name, labels) ?? 0
        return (now < before ? now : now - before) / seconds
    }

    /// The bound in seconds below which a part of the durations since an earlier reading lie; nil where there were none, or they
    /// are beyond the last bound.
    func quantile(
        _ part: Double, of name: String, _ labels: [String: String] = [:], since earlier: MetricsReading
    ) -> Double? {
        let bounds = values(of: "le", in: "\(name)_bucket").compactMap { text in
            Double(text).map { (text: text, bound: $0) }
        }.filter(\.bound.isFinite)
        func count(_ bound: String) -> Double {
            let labels = labels.merging(["le": bound]) { $1 }
            let now = value("\(name)_bucket", labels) ?? 0
            let before = earlier.value("\(name)_bucket", labels) ?? 0
            return now < before ? now : now - before
        }
        let all = count("+Inf")
        guard all > 0 else { return nil }
        return bounds.first { count($0.text) >= part * all }?.bound
    }
}
