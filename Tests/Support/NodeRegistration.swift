package import Keybearer

extension FenceStore {
    /// Registers a node that has no label.
    package func registerNode(_ id: NodeID, lease: Duration) async throws -> ChangeLogPosition {
        try await registerNode(id, label: "", version: KeybearerVersion.current, lease: lease)
    }
}
