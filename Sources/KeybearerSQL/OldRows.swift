import Keybearer

/// Rows that housekeeping removes, a limited number in each transaction.
///
/// Each transaction locks what it removes in the order of the table's key, as everybody locks them, and no other rows:
/// two processes that do this at the same moment never wait for each other, and nobody waits long for either.
struct OldRows: Sendable {
    /// How many are removed at most in one transaction.
    static let mostAtOnce = 1_000

    /// Finds them in the order of their key, which is what it returns. Its last parameter is how many.
    let find: SQL
    /// The other parameters of ``find``, at a time.
    let bounds: @Sendable (Timestamp) -> [SQLValue]
    /// Removes the row with a key.
    let remove: SQL
    /// The key of a row that was found.
    let key: @Sendable (any StoredRow) throws -> [SQLValue]

    /// Removes some of those that are old at a time.
    ///
    /// - Returns: whether more may be left.
    func removeSome(at time: Timestamp, _ connection: any SQLConnection) throws -> Bool {
        let old = SQLStatement(find, bounds(time) + [.number(Self.mostAtOnce)])
        let locked = try connection.lock([(old, .replace)]).first ?? []
        try connection.executeMany(remove, locked.map(key))
        return locked.count == Self.mostAtOnce
    }
}

extension SQLStore {
    /// Removes all that is old by the clock that stamps it.
    func remove(_ rows: OldRows, now: Timestamp) async throws {
        while try await maintain({ try rows.removeSome(at: try $0.now(now), $0) }) {}
    }
}
