/// Last uses, written in batches.
package protocol LastUseStore: Sendable {
    /// Writes each use to the key it belongs to. Ignores keys that were replaced since, and uses older than the stored
    /// one. A stored use later than `now`, from a wrong clock, is overwritten.
    func recordLastUses(_ uses: [KeyUse], now: Timestamp) async throws
}

/// A use of a key.
package struct KeyUse: Sendable, Hashable {
    /// Whose key.
    package let userID: UserID
    /// Which key.
    package let keyID: KeyID
    /// When and from where.
    package let use: LastUse

    /// Puts a use together.
    package init(userID: UserID, keyID: KeyID, use: LastUse) {
        self.userID = userID
        self.keyID = keyID
        self.use = use
    }
}
