import Foundation

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// Copies what a running process writes into a file, and lets others wait for what it says.
final class CapturedOutput: @unchecked Sendable {
    // Everything below is under the condition's lock.
    private let condition = NSCondition()
    private var bytes: [UInt8] = []
    private var isAtEnd = false

    /// Takes over the descriptor.
    init(reading descriptor: Int32, copyingTo path: String) {
        _ = FileManager.default.createFile(atPath: path, contents: nil, attributes: [.posixPermissions: 0o600])
        let copy = FileHandle(forWritingAtPath: path)
        Thread.detachNewThread { [self] in
            let source = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
            while case let more = source.availableData, !more.isEmpty {
                copy?.write(more)
                append(more, isAtEnd: false)
            }
            try? copy?.close()
            append(Data(), isAtEnd: true)
        }
    }

    /// All so far.
    var text: String {
        condition.withLock { String(decoding: bytes, as: UTF8.self) }
    }

    /// Waits until `find` finds something.
    ///
    /// - Returns: nil when the process has closed its output without it, or the time is over.
    func wait<Found>(seconds: Double, for find: (String) -> Found?) -> Found? {
        let deadline = Date().addingTimeInterval(seconds)
        condition.lock()
        defer { condition.unlock() }
        while true {
            if let found = find(String(decoding: bytes, as: UTF8.self)) { return found }
            if isAtEnd || !condition.wait(until: deadline) { return nil }
        }
    }

    /// Waits until the process has closed its output.
    ///
    /// - Returns: false when the time is over.
    func waitForEnd(seconds: Double) -> Bool {
        let deadline = Date().addingTimeInterval(seconds)
        condition.lock()
        defer { condition.unlock() }
        while !isAtEnd {
            if !condition.wait(until: deadline) { return isAtEnd }
        }
        return true
    }

    private func append(_ more: Data, isAtEnd: Bool) {
        condition.lock()
        bytes += more
        if isAtEnd { self.isAtEnd = true }
        condition.broadcast()
        condition.unlock()
    }
}
