import Keybearer

/// Who the client is, as a gateway is told: seven fields, each always there and never empty.
///
/// A gateway that copies them overwrites what a client may have sent under their names; an absent one would let the
/// client's own through.
enum GateIdentity {
    /// The fields of a request that names no workspace, made once for each account.
    static func make(_ account: Account) -> [UInt8] {
        let plan = account.decidingAccess?.plan
        let room = room(account, at: nil, plan: plan)
        return [UInt8](unsafeUninitializedCapacity: room) { memory, count in
            var writer = ByteWriter(UnsafeMutableRawBufferPointer(memory))
            write(account, at: nil, plan: plan, to: &writer)
            precondition(!writer.isOverflown, "the identity is longer than its reckoning")
            count = writer.count
        }
    }

    /// No fewer bytes than ``write(_:at:plan:to:)`` needs: each byte of a value may become three.
    static func room(_ account: Account, at workspace: WorkspaceAccess?, plan: Plan?) -> Int {
        let values =
            account.user.email.rawValue.utf8.count + (plan?.id.rawValue.utf8.count ?? 1)
            + account.user.id.rawValue.utf8.count + (workspace?.workspace.id.rawValue.utf8.count ?? 1)
            + account.key.shownPrefix.utf8.count
        return 320 + 3 * values
    }

    /// Writes the seven lines.
    ///
    /// - Parameters:
    ///   - workspace: the one that the request names, if any.
    ///   - plan: the one that decides about the request, if any.
    static func write(_ account: Account, at workspace: WorkspaceAccess?, plan: Plan?, to writer: inout ByteWriter) {
        writer.text("X-Keybearer-User: ")
        writer.fieldValue(account.user.id.rawValue)
        writer.text("\r\nX-Keybearer-Email: ")
        // Whoever only claims an address must not be taken for the person who has it.
        writer.fieldValue(account.user.isEmailVerified ? account.user.email.rawValue : "-")
        writer.text("\r\nX-Keybearer-Email-Verified: ")
        writer.text(account.user.isEmailVerified ? "true" : "false")
        writer.text("\r\nX-Keybearer-Workspace: ")
        writer.fieldValue(workspace?.workspace.id.rawValue ?? "-")
        writer.text("\r\nX-Keybearer-Role: ")
        writer.fieldValue(workspace?.role.rawValue ?? "-")
        writer.text("\r\nX-Keybearer-Plan: ")
        writer.fieldValue(plan?.id.rawValue ?? "-")
        writer.text("\r\nX-Keybearer-Key-Prefix: ")
        writer.fieldValue(account.key.shownPrefix)
        writer.text("\r\n")
    }
}
