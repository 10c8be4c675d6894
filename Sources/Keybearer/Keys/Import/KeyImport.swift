extension WriteService {
    /// Looks at the key that a new account is to have.
    ///
    /// - Returns: nil where none was sent.
    /// - Throws: `FORBIDDEN` where the caller may not import; `VALIDATION_FAILED` with the field `key`.
    func importedToken(_ input: UserInput, by caller: OperatorCaller) throws(KeybearerError) -> ImportedToken? {
        guard let key = input.keyToImport else { return nil }
        try caller.require(.importKeys)
        return try ImportedToken(
            importing: key.characters, keyPrefix: context.settings.keyPrefix, vault: context.vault.current)
    }

    /// Refuses a key for an account that is there already, unless it is the account's own by the external id under which
    /// it was imported: so an import can be run again, and goes on where it ended.
    ///
    /// - Parameter request: one that made the account with this key before is answered again, whatever became of the key.
    /// - Throws: as ``importedToken(_:by:)``; `UNAVAILABLE` where a rotation has begun that this process does not know.
    func requireImported(
        _ input: UserInput, into account: Account, named reference: Reference<UserID>, request: IdempotentRequest?,
        by caller: OperatorCaller
    ) async throws {
        guard let imported = try importedToken(input, by: caller) else { return }
        if try await earlierResource(of: request) == account.user.id.rawValue { return }
        if case .external(let id) = reference, account.user.externalID == id {
            let vault = context.vault.current
            let owner = try await context.store.account(keyDigests: vault.digests(of: imported.token))
            if owner?.user.id == account.user.id { return }
            // Under a master key that this process does not have, the key may be the account's all the same.
            let digestKeys = vault.digestKeyIDs
            guard try await context.store.masterKeys().allSatisfy({ !$0.seals || digestKeys.contains($0.id) }) else {
                throw KeybearerError.masterKeysRotated
            }
        }
        throw KeybearerError.validation([
            "key": "The account is there already, with another key. A key is imported when its account is created."
        ])
    }

    /// A request that holds a key, as it is remembered: under a key of this installation. A plain digest of a body would
    /// help whoever has the database to guess the key in it.
    ///
    /// Requests are remembered for each caller, and the caller's token keeps the key for them in the ring: sent again after
    /// a rotation, it is still the same request.
    func protecting(
        _ request: IdempotentRequest?, with input: UserInput, by caller: OperatorCaller
    ) -> IdempotentRequest? {
        guard let request, input.keyToImport != nil else { return request }
        return IdempotentRequest(
            scope: request.scope, keyDigest: request.keyDigest,
            requestDigest: context.vault.current.requestDigest(request.requestDigest, under: caller.tagKeyID))
    }
}
