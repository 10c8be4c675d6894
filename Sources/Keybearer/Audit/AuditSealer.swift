/// Gives audit events their positions and seals.
///
/// An event is written in the transaction of what it tells, so the order in which events become visible is not the one
/// in which they were written: whoever remembers the last that it has seen could miss one. A position is given
/// afterwards, by one process at a time, so events become visible in the order of their positions and without gaps.
/// With it goes a seal, which rests on the one before.
package struct AuditSealer: Sendable {
    /// How often a node looks for events without a position.
    static let interval: Duration = .seconds(1)
    /// How many get theirs in one transaction: it must not keep others waiting.
    static let mostAtOnce = 500

    private let store: any AuditStore
    private let vault: CurrentVault
    private let random: RandomSource

    init(store: any AuditStore, vault: CurrentVault, random: RandomSource) {
        self.store = store
        self.vault = vault
        self.random = random
    }

    /// Seals until all events that are settled have a position. A database of an earlier version may have a million
    /// without. A node that only verifies cannot seal, and leaves it to the others.
    ///
    /// - Returns: how many got one.
    @discardableResult
    package func sealAll() async throws -> Int {
        var count = 0
        while !Task.isCancelled, let key = vault.current.activeAuditKey {
            let sealed = try await store.sealAuditEvents(atMost: Self.mostAtOnce, by: key, random: random)
            count += sealed
            if sealed < Self.mostAtOnce { break }
        }
        return count
    }

    /// Removes events that are older than a span, the oldest first, and signs where the log begins then. The newest
    /// always stays.
    func removeOld(before time: Timestamp) async throws {
        while !Task.isCancelled, let key = vault.current.activeAuditKey {
            let removed = try await store.removeAuditEvents(before: time, atMost: Self.mostAtOnce, by: key)
            if removed < Self.mostAtOnce { return }
        }
    }
}
