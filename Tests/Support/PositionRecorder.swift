package import Keybearer
import Synchronization

/// Notes the position of a change instead of waiting for nodes.
package final class PositionRecorder: ChangePropagation {
    private let last = Lock(ChangeLogPosition(number: -1, nonce: ""))

    /// Notes nothing yet.
    package init() {}

    /// The last position that was noted.
    package var position: ChangeLogPosition { last.withLock { $0 } }

    package func waitUntilApplied(_ position: ChangeLogPosition) async { last.withLock { $0 = position } }
}

/// The value of a change and its position.
package func applied<Value>(_ committed: Committed<Value>) async -> (value: Value, position: ChangeLogPosition) {
    let recorder = PositionRecorder()
    let value = await recorder.waitUntilApplied(committed)
    return (value, recorder.position)
}
