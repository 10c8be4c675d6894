public import Keybearer
import Synchronization

/// Notes the position of a change instead of waiting for nodes.
public final class PositionRecorder: ChangePropagation {
    private let last = Lock(ChangePosition(number: -1, mark: ""))

    /// Notes nothing yet.
    public init() {}

    /// The last position that was noted.
    public var position: ChangePosition { last.withLock { $0 } }

    public func waitUntilApplied(_ position: ChangePosition) async { last.withLock { $0 = position } }
}

/// The value of a change and its position.
public func applied<Value>(_ committed: Committed<Value>) async -> (value: Value, position: ChangePosition) {
    let recorder = PositionRecorder()
    let value = await recorder.waitUntilApplied(committed)
    return (value, recorder.position)
}
