package import Keybearer

/// Something that was done, by whom, to what.
package struct AuditEventJSON: JSONNoun {
    let id: String
    let at: Timestamp
    /// An account's or an operator token's id, `cli` or `system`.
    let actor: String
    let action: String
    let user: Nullable<String>
    let workspace: Nullable<String>
    let address: Nullable<String>
    let detail: Nullable<String>

    package init(_ event: AuditEvent) {
        (id, at, actor, action) = (event.id.rawValue, event.at, event.actor.storedForm, event.action.rawValue)
        user = Nullable(event.userID?.rawValue)
        workspace = Nullable(event.workspaceID?.rawValue)
        address = Nullable(event.address?.textIfAny)
        detail = Nullable(event.detail)
    }

    package static let noun = "AuditEvent"
    package static let sample = AuditEventJSON(
        AuditEvent(
            id: EventID(rawValue: "evt_a1"), at: Timestamp(millisecondsSinceEpoch: 0), actor: .system,
            action: .userCreated))
}
