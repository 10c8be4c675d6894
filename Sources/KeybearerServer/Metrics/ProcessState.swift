import Foundation

/// What the system says of this process, on Linux.
struct ProcessState: Sendable, Hashable {
    /// Processor time, in seconds.
    let processorSeconds: Double
    let residentBytes: Int
    let openFiles: Int
    /// When it began, in seconds since 1970.
    let startedAt: Double

    /// nil where the system does not say.
    static func now() -> ProcessState? {
        guard let values = text("/proc/self/stat").flatMap(values(ofStat:)), let boot = bootTime else { return nil }
        let ticks = Double(sysconf(Int32(_SC_CLK_TCK)))
        guard values.count > 21, let user = Double(values[11]), let system = Double(values[12]),
            let start = Double(values[19]), let pages = Int(values[21])
        else { return nil }
        let files = try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count
        return ProcessState(
            processorSeconds: (user + system) / ticks, residentBytes: pages * Int(sysconf(Int32(_SC_PAGESIZE))),
            // The directory itself is one of them.
            openFiles: max(0, (files ?? 1) - 1), startedAt: boot + start / ticks)
    }

    /// What stands behind the name of the program, which may hold blanks and brackets.
    static func values(ofStat text: String) -> [Substring]? {
        guard let end = text.lastIndex(of: ")") else { return nil }
        return text[text.index(after: end)...].split(whereSeparator: \.isWhitespace)
    }

    private static let bootTime: Double? = {
        let line = text("/proc/stat")?.split(separator: "\n").first { $0.hasPrefix("btime ") }
        return line.flatMap { Double($0.dropFirst(6)) }
    }()

    private static func text(_ path: String) -> String? { try? String(contentsOfFile: path, encoding: .utf8) }
}
