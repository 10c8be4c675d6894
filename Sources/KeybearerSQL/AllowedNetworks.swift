package import Keybearer

extension SQLStore {
    package func setAllowedNetworks(
        _ networks: AllowedNetworks?, of userID: UserID, version: Int?, by authority: Authority,
        needs requirement: Requirement?, audit: AuditEvent
    ) async throws -> Committed<Void> {
        let update = UserUpdate(
            id: userID, version: version, allowedNetworks: networks.map { .set($0) } ?? .cleared)
        return try await change(
            Self.updating(update, at: audit.at).map { _ in () }, by: authority, needs: requirement, audit: audit)
    }

    /// Refuses networks that a node would not look at, and says in the audit log how many there are.
    ///
    /// - Throws: `CONFLICT` while an older node is registered.
    static func requireHonoured(
        _ networks: AllowedNetworks?, instead old: AllowedNetworks?, _ locked: LockedRows,
        _ connection: any SQLConnection
    ) throws {
        guard networks != old else { return }
        if networks != nil { try connection.requireNodes(of: .allowingNetworks, for: "Allowed networks") }
        locked.values.record(before: AllowedNetworks.describe(old), after: AllowedNetworks.describe(networks))
    }
}

extension StoredValues {
    /// Networks that cannot be read let nobody pass: they are no reason to let everybody pass.
    static func allowedNetworks(_ row: any StoredRow) throws -> AllowedNetworks? {
        guard let text = row.text("allowed_networks") else { return nil }
        guard let networks = AllowedNetworks(storedForm: text) else {
            throw KeybearerError.unreadable("users.allowed_networks")
        }
        return networks
    }
}
