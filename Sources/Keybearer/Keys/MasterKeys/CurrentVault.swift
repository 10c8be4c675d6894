import Synchronization

/// The vault that is in use, replaced as a whole when the ring of master keys rotates.
public final class CurrentVault: Sendable {
    private let vault: Lock<KeyVault>

    /// Starts with a vault.
    public init(_ vault: KeyVault) {
        self.vault = Lock(vault)
    }

    /// The vault in use.
    public var current: KeyVault { vault.withLock { $0 } }

    /// Puts another vault in its place.
    public func replace(with vault: KeyVault) {
        self.vault.withLock { $0 = vault }
    }
}
