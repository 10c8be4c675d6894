/// Last uses, written in batches.
public protocol LastUseStore: Sendable {
    /// Writes each use to the key it belongs to. A key that was replaced meanwhile takes nothing, and an earlier use
    /// never overwrites a later one; but one that lies ahead of `now`, from a clock that was wrong, gives way.
    func recordLastUses(_ uses: [KeyUse], now: Timestamp) async throws
}

/// A use of a key.
public struct KeyUse: Sendable, Hashable {
    /// Whose key.
    public let userID: UserID
    /// Which key.
    public let keyID: KeyID
    /// When and from where.
    public let use: LastUse

    /// Puts a use together.
    public init(userID: UserID, keyID: KeyID, use: LastUse) {
        self.userID = userID
        self.keyID = keyID
        self.use = use
    }
}
