import Foundation
import Keybearer
import Synchronization

/// Shows on standard error how far something is: a bar that is drawn over itself on a terminal, a line for every tenth
/// elsewhere.
final class ProgressBar: Sendable {
    private struct State {
        var lastTenth = -1
        var lastPercent = -1
    }

    private static let width = 30
    private let isTerminal = isatty(STDERR_FILENO) == 1
    private let state = Lock(State())

    /// Shows a state; draws only what differs from the last one.
    func show(_ what: String, done: Int, total: Int) {
        let percent = total == 0 ? 100 : done * 100 / total
        let isDue = state.withLock { state in
            defer { (state.lastPercent, state.lastTenth) = (percent, percent / 10) }
            return isTerminal ? state.lastPercent != percent : state.lastTenth != percent / 10
        }
        guard isDue else { return }
        let filled = percent * Self.width / 100
        let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: Self.width - filled)
        let line = "[\(bar)] \(percent) % \(what)"
        let padding = String(repeating: " ", count: max(0, 70 - line.count))
        FileHandle.standardError.write(Data((isTerminal ? "\r\(line)\(padding)" : "\(line)\n").utf8))
    }

    /// Leaves the bar where it is.
    func end() {
        if isTerminal { FileHandle.standardError.write(Data("\n".utf8)) }
    }
}
