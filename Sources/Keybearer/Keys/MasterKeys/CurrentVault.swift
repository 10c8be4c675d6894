import Synchronization

/// The vault that is in use, replaced as a whole when the ring of master keys rotates.
final class CurrentVault: Sendable {
    private let vault: Lock<KeyVault>

    /// Starts with a vault.
    init(_ vault: KeyVault) {
        self.vault = Lock(vault)
    }

    /// The vault in use.
    var current: KeyVault { vault.withLock { $0 } }

    /// Puts another vault in its place.
    func replace(with vault: KeyVault) {
        self.vault.withLock { $0 = vault }
    }
}
