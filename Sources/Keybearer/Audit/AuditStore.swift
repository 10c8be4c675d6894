/// The audit trail.
package protocol AuditStore: Sendable {
    /// The latest events, newest first, of one account or of all.
    func auditEvents(userID: UserID?, limit: Int) async throws -> [AuditEvent]
    /// Events behind a position, in the order of their positions, of one account or of all.
    func auditEvents(after position: Int64, of userID: UserID?, limit: Int) async throws -> [AuditEvent]
    /// A page of events for people, the newest first, before a place.
    func auditEvents(
        matching filter: AuditFilter, before place: AuditPlace?, limit: Int
    ) async throws -> [NamedAuditEvent]
    /// Writes events of failed sign-ins to accounts that are still there.
    func recordFailedSignIns(_ events: [AuditEvent]) async throws
    /// Gives the next positions, and seals, to events that have none, in the order in which they were written.
    ///
    /// Only to those below the oldest transaction that still runs, and one caller at a time: whoever follows the
    /// positions misses none.
    ///
    /// - Parameters:
    ///   - limit: how many at most.
    ///   - random: where salts come from.
    /// - Returns: how many there were.
    func sealAuditEvents(atMost limit: Int, by key: AuditKey, random: RandomSource) async throws -> Int
    /// Removes the oldest events that have a position, as far as they were done before a time, and leaves a
    /// checkpoint. The newest event with a position stays.
    ///
    /// - Returns: how many there were.
    func removeAuditEvents(before time: Timestamp, atMost limit: Int, by key: AuditKey) async throws -> Int
    /// Stored events behind a position, with their seals.
    func auditRecords(after position: Int64, limit: Int) async throws -> [AuditRecord]
    /// How far the chain of seals goes.
    func auditChain() async throws -> AuditChain
    /// How many events are sealed; of how many of them what tells who somebody is was erased; how many wait for their
    /// position.
    func auditCounts() async throws -> (sealed: Int, erased: Int, waiting: Int)
    /// The audit subkeys of retired master keys.
    func auditKeys() async throws -> [KeptAuditKey]
    /// Keeps audit subkeys, also in the place of the same ones under another master key.
    func putAuditKeys(_ keys: [KeptAuditKey]) async throws
}
