import Foundation

/// Threads that a test starts and waits for. They may block, which tasks must not.
final class Crew: @unchecked Sendable {
    // Everything below is under the condition's lock.
    private let condition = NSCondition()
    private var running = 0
    private var firstError: (any Error)?
    private var isStopRequested = false

    /// Whether the work should end.
    var shouldStop: Bool { condition.withLock { isStopRequested } }

    /// Runs `body` on a thread of its own.
    func start(_ body: @escaping @Sendable (Crew) throws -> Void) {
        condition.withLock { running += 1 }
        Thread.detachNewThread { [self] in
            var problem: (any Error)?
            do { try body(self) } catch { problem = error }
            condition.withLock {
                firstError = firstError ?? problem
                running -= 1
                condition.broadcast()
            }
        }
    }

    /// Tells all to stop and waits for them.
    ///
    /// - Throws: the first error of any of them.
    func stop() throws {
        condition.withLock { isStopRequested = true }
        try finish()
    }

    /// Waits for all to end by themselves.
    ///
    /// - Throws: the first error of any of them.
    func finish() throws {
        condition.lock()
        defer { condition.unlock() }
        while running > 0 { condition.wait() }
        if let firstError { throw firstError }
    }
}
