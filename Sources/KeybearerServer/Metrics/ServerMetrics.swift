import CoreMetrics
import Foundation
import Keybearer

/// What a server measures besides its domain: connections, requests, its certificate and its process.
struct ServerMetrics: Sendable {
    /// What a request was for.
    enum Area: String, CaseIterable {
        case api, pages
        case operators = "operator"
        case probes
    }

    private static let classes = ["2xx", "3xx", "4xx", "5xx"]

    private let node: Node
    private let connections: Connections
    private let certificates: CurrentCertificates?
    private let startedAt = Date().timeIntervalSince1970
    private let open: [(listener: Connections.Listener, count: Meter, limit: Meter)]
    private let certificateEnd, info, processor, resident, files, fileLimit, start: Meter

    init(node: Node, connections: Connections, certificates: CurrentCertificates?) {
        self.node = node
        self.connections = connections
        self.certificates = certificates
        let factory = node.metrics.factory
        open = Connections.Listener.allCases.map {
            (
                $0, Self.connectionCount.meter($0.rawValue, in: factory),
                Self.connectionLimit.meter($0.rawValue, in: factory)
            )
        }
        certificateEnd = Self.certificateEnd.meter(in: factory)
        info = Self.info.meter(KeybearerVersion.current, in: factory)
        processor = Self.processor.meter(in: factory)
        resident = Self.resident.meter(in: factory)
        files = Self.files.meter(in: factory)
        fileLimit = Self.fileLimit.meter(in: factory)
        start = Self.start.meter(in: factory)
    }

    /// Takes in how everything stands now.
    func observe() {
        node.observe()
        for (listener, count, limit) in open {
            count.set(connections.count(of: listener))
            limit.set(connections.limit(of: listener))
        }
        if let end = certificates?.end { certificateEnd.set(end) }
        info.set(1)
        fileLimit.set(connections.files)
        guard let process = ProcessState.now() else { return start.set(startedAt) }
        processor.set(process.processorSeconds)
        resident.set(process.residentBytes)
        files.set(process.openFiles)
        start.set(process.startedAt)
    }

    static let responses = MetricDefinition(
        "keybearer_responses_total", .counter,
        "Responses of the public listener and the operators', by what the request was for and the class of the status.",
        labels: [.init("area", Area.allCases.map(\.rawValue)), .init("status", classes)])
    private static let connectionCount = MetricDefinition(
        "keybearer_connections", .gauge, "Open connections of each listener.",
        labels: [.init("listener", Connections.Listener.allCases.map(\.rawValue))])
    private static let connectionLimit = MetricDefinition(
        "keybearer_connections_limit", .gauge,
        "The most connections of each listener; beyond it the oldest silent ones are closed.",
        labels: [.init("listener", Connections.Listener.allCases.map(\.rawValue))])
    private static let certificateEnd = MetricDefinition(
        "keybearer_certificate_end_timestamp_seconds", .gauge,
        "When the certificate ends that is shown to new connections, in seconds since 1970. With TLS only.")
    private static let info = MetricDefinition(
        "keybearer_build_info", .gauge, "1, with the version.",
        labels: [.init("version", [KeybearerVersion.current])])
    private static let processor = MetricDefinition(
        "process_cpu_seconds_total", .total, "Processor time of the process.")
    private static let resident = MetricDefinition(
        "process_resident_memory_bytes", .gauge, "Memory that the process has.")
    private static let files = MetricDefinition("process_open_fds", .gauge, "Files that the process has open.")
    private static let fileLimit = MetricDefinition(
        "process_max_fds", .gauge, "The most files that the process may have open.")
    private static let start = MetricDefinition(
        "process_start_time_seconds", .gauge, "When the process began, in seconds since 1970.")

    /// All of them, those of verdicts included.
    static let definitions: [MetricDefinition] = [
        VerdictMetrics.verdicts, VerdictMetrics.seconds, responses, connectionCount, connectionLimit, certificateEnd,
        info, processor, resident, files, fileLimit, start,
    ]

    /// Every metric there is.
    package static let all = NodeMetrics.definitions + definitions
}

/// Counts the responses of a listener.
struct ResponseMetrics: Sendable {
    private let counters: [[Counter]]

    /// - Returns: nil where nobody looks at it.
    init?(of node: Node) {
        guard node.metrics.isOn else { return nil }
        counters = ServerMetrics.Area.allCases.map { area in
            ["2xx", "3xx", "4xx", "5xx"].map {
                ServerMetrics.responses.counter(area.rawValue, $0, in: node.metrics.factory)
            }
        }
    }

    /// Counts a response.
    func record(_ status: Int, in area: ServerMetrics.Area) {
        let index = status / 100 - 2
        guard (0..<4).contains(index) else { return }
        counters[area.index][index].increment()
    }
}

extension ServerMetrics.Area {
    fileprivate var index: Int {
        switch self {
        case .api: 0
        case .pages: 1
        case .operators: 2
        case .probes: 3
        }
    }
}
