/// The audit trail.
package protocol AuditStore: Sendable {
    /// The latest events, newest first, of one account or of all.
    func auditEvents(userID: UserID?, limit: Int) async throws -> [AuditEvent]
}
