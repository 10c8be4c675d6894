/// What the holder of an account sees of its identities, and disconnects. It needs no provider: an identity outlives the
/// setting that names one.
package final class ConnectedIdentityService: Sendable {
    private let context: ServiceContext
    /// Where people sign in; nil where no provider is configured.
    private let settings: IdentitySettings?

    init(context: ServiceContext, settings: IdentitySettings?) {
        self.context = context
        self.settings = settings
    }

    /// An identity as its holder sees it.
    package struct Listed: Sendable, Hashable {
        /// The identity.
        package let connected: ConnectedIdentity
        /// What people call its provider.
        package let provider: String
        /// Whether nobody could sign in to the account without it.
        package let isOnlyWay: Bool

        /// Puts a row together.
        package init(connected: ConnectedIdentity, provider: String, isOnlyWay: Bool) {
            self.connected = connected
            self.provider = provider
            self.isOnlyWay = isOnlyWay
        }
    }

    /// The identities of an account, those of one provider together.
    package func list(of user: User) async throws -> [Listed] {
        let all = try await context.store.connectedIdentities(of: user.id)
        return all.map { connected in
            Listed(
                connected: connected, provider: provider(connected.identity),
                isOnlyWay: IdentityRules.isOnlyWay(
                    connected.identity, of: all.map(\.identity), hasPassword: user.hasPassword,
                    issuer: settings?.issuer))
        }
    }

    /// Takes an identity from the account of a person who has signed in.
    ///
    /// - Parameter reference: as ``ConnectedIdentity/reference`` has it.
    /// - Throws: `NOT_FOUND` where the account has no such identity; `CONFLICT` where nobody could sign in without it;
    ///   `FORBIDDEN` where the sign-in is too old.
    package func disconnect(
        _ reference: String, from signedIn: SessionService.SignedIn, at address: IPAddress
    ) async throws {
        let userID = signedIn.account.user.id
        let all = try await context.store.connectedIdentities(of: userID)
        guard let found = all.first(where: { $0.reference == reference }) else { throw KeybearerError.noSuchIdentity }
        let authority = signedIn.authority(from: address)
        try await context.store.unlinkIdentity(
            found.identity, of: userID, signInIssuer: settings?.issuer, by: authority,
            audit: context.event(.identityUnlinked, by: authority, user: userID, detail: found.identity.issuer))
    }

    private func provider(_ identity: Identity) -> String {
        if let settings, settings.issuer == identity.issuer { return settings.name }
        return identity.issuer
    }
}

extension KeybearerError {
    /// The account has no such identity.
    package static let noSuchIdentity = KeybearerError(
        .notFound, "Your account is not connected with that sign-in. It may have been disconnected already.")

    /// Nobody could sign in to the account any more.
    package static let onlyWayToSignIn = KeybearerError(
        .conflict, "This is your only way to sign in, so it was not disconnected.")
}
