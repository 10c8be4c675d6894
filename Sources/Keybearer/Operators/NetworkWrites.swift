/// From where keys may be used.
extension WriteService {
    /// Lets an account's key be used from these networks alone, or from everywhere again.
    ///
    /// - Parameter networks: nil for everywhere.
    /// - Throws: `NOT_FOUND`.
    package func settingAllowedNetworks(
        _ networks: AllowedNetworks?, of reference: Reference<UserID>, version: Int? = nil,
        request: IdempotentRequest? = nil, by caller: OperatorCaller
    ) async throws -> StoreWrite {
        let id = try await existingID(reference, for: request)
        return StoreWrite(
            .updateUser(
                UserUpdate(id: id, version: version, allowedNetworks: networks.map { .set($0) } ?? .cleared)),
            audit: context.event(.networksChanged, by: caller.authority, user: id), request: request)
    }

    /// Sets or clears the networks of an account's key; returns when no node lets another address pass.
    ///
    /// - Throws: as ``settingAllowedNetworks(_:of:version:request:by:)``; `CONFLICT` while a node of an older version
    ///   runs; `UNAVAILABLE`.
    public func setAllowedNetworks(
        _ networks: AllowedNetworks?, of userID: UserID, by caller: OperatorCaller
    ) async throws {
        _ = try await perform(
            try await settingAllowedNetworks(networks, of: .id(userID), by: caller), by: caller)
    }
}
