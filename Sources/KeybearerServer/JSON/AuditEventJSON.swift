package import Keybearer

/// Something that was done, by whom, to what.
package struct AuditEventJSON: JSONNoun {
    let id: String
    package let at: Timestamp
    /// An account's or an operator token's id, `cli` or `system`.
    package let actor: String
    package let action: String
    package let user: Nullable<String>
    package let workspace: Nullable<String>
    package let address: Nullable<String>
    package let detail: Nullable<String>
    let userAgent: Nullable<String>
    let requestId: Nullable<String>
    /// The operator token whose portal link opened the session in which the actor did it.
    let via: Nullable<String>
    let before: Nullable<String>
    let after: Nullable<String>
    /// Its place in the log; nil for about a second, until it has one.
    let position: Nullable<Int>

    package init(_ event: AuditEvent) {
        (id, at, actor, action) = (event.id.rawValue, event.at, event.actor.storedForm, event.action.rawValue)
        user = Nullable(event.userID?.rawValue)
        workspace = Nullable(event.workspaceID?.rawValue)
        address = Nullable(event.address?.textIfAny)
        detail = Nullable(event.detail)
        userAgent = Nullable(event.origin?.userAgent)
        requestId = Nullable(event.origin?.requestID)
        via = Nullable(event.origin?.via?.rawValue)
        before = Nullable(event.change?.before)
        after = Nullable(event.change?.after)
        position = Nullable(event.position.map { Int($0) })
    }

    package static let noun = "AuditEvent"
    package static let sample = AuditEventJSON(
        AuditEvent(
            id: EventID(rawValue: "evt_a1"), at: Timestamp(millisecondsSinceEpoch: 0), actor: .system,
            action: .userCreated))
}
