/// The value of a change that is committed and that nodes may not have applied yet.
///
/// The value cannot be read here. Only ``ChangePropagation/waitUntilApplied(_:)`` returns it, when no node accepts what
/// was before the change: so an answer that needs the value waits. A `Committed<Void>` could still be dropped: the
/// compiler's unused-result warning (an error in `Sources/`) and the rule against `_ =` in `scripts/lint-sql` refuse
/// that.
package struct Committed<Value: Sendable>: Sendable {
    fileprivate let value: Value
    fileprivate let position: ChangeLogPosition

    /// For stores alone, behind the commit.
    package init(_ value: Value, at position: ChangeLogPosition) {
        self.value = value
        self.position = position
    }
}

extension ChangePropagation {
    /// Waits until no node accepts what was before the change, then returns the change's value.
    package func waitUntilApplied<Value>(_ committed: Committed<Value>) async -> Value {
        await waitUntilApplied(committed.position)
        return committed.value
    }
}
