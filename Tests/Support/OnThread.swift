import Foundation

/// Runs what blocks, such as ``RawConnection``, on a thread of its own: on the few that tasks share it would keep a
/// server in the same process from answering.
package func onThread<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
        let thread = Thread { continuation.resume(with: Result(catching: body)) }
        thread.stackSize = 1 << 20
        thread.start()
    }
}
