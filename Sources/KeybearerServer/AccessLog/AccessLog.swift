import Foundation
import Keybearer
import Logging
import NIOPosix
import ServiceLifecycle
import Synchronization

/// Writes a line for each request, or for one of so many, to standard output.
///
/// Whoever answers a request only appends to memory. What the reader of the log does not take in time is dropped and counted:
/// no request waits for it.
package final class AccessLog: Sendable {
    /// How lines look.
    package enum Format: String, Sendable, CaseIterable {
        /// Words with blanks between them, `-` for what there is not.
        case text
        /// One object for each line.
        case json
    }

    /// What is logged.
    package struct Settings: Sendable, Hashable {
        /// nil for no access log.
        package var format: Format?
        /// One of so many requests has a line, whatever came of it; a fault of the server's own always has one.
        package var sample: Int

        package init(format: Format? = nil, sample: Int = 1) {
            (self.format, self.sample) = (format, max(1, sample))
        }
    }

    /// The most bytes that wait to be written.
    static let limit = 4 * 1_024 * 1_024
    /// How often they are written.
    static let pause: Duration = .milliseconds(100)

    private struct Waiting {
        var lines: [UInt8] = []
        var dropped = 0
    }

    private let format: Format
    private let sample: Int
    private let write: @Sendable ([UInt8]) throws -> Void
    private let logger: Logger
    private let requests = Atomic<Int>(0)
    private let waiting = Lock(Waiting())
    private let hasFailed = Atomic<Bool>(false)

    /// - Parameter write: writes bytes to where the log goes; it may take its time.
    /// - Returns: nil where the settings want none.
    init?(
        _ settings: Settings, logger: Logger,
        write: @escaping @Sendable ([UInt8]) throws -> Void = { try FileHandle.standardOutput.write(contentsOf: $0) }
    ) {
        guard let format = settings.format else { return nil }
        (self.format, sample, self.logger, self.write) = (format, settings.sample, logger, write)
    }

    /// Whether a request gets a line: read once for each, before the line is made.
    func isWanted(_ status: Int) -> Bool {
        let number = requests.wrappingAdd(1, ordering: .relaxed).oldValue
        return status >= 500 || number % sample == 0
    }

    /// Takes a line in, or counts it as dropped.
    func record(_ line: AccessLine) {
        let text = line.text(format).utf8
        waiting.withLock { waiting in
            if waiting.lines.count + text.count > Self.limit {
                waiting.dropped += 1
            } else {
                waiting.lines.append(contentsOf: text)
            }
        }
    }

    /// Writes what waits, and says what was dropped.
    func flush() {
        let taken = waiting.withLock { waiting in
            defer { waiting = Waiting() }
            return waiting
        }
        if !taken.lines.isEmpty {
            do {
                try write(taken.lines)
                hasFailed.store(false, ordering: .relaxed)
            } catch {
                // Once, and again when it has worked meanwhile: the next line would say the same.
                if !hasFailed.exchange(true, ordering: .relaxed) {
                    logger.warning("The access log cannot be written.", metadata: ["error": "\(error)"])
                }
            }
        }
        if taken.dropped > 0 {
            logger.warning("Lines of the access log were dropped.", metadata: ["lines": "\(taken.dropped)"])
        }
    }
}

/// Writes the access log for as long as the server runs, and what is left behind the last answer.
struct AccessLogService: Service {
    let log: AccessLog

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                try? await Task.sleep(for: AccessLog.pause)
                await flush()
            }
        }
        await flush()
    }

    /// On a thread that may wait: whoever reads the log may be slow.
    private func flush() async {
        let log = log
        try? await NIOThreadPool.singleton.runIfActive { log.flush() }
    }
}
