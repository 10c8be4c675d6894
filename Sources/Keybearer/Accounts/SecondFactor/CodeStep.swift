/// The second step of a sign-in: the code of a person who has given the password.
extension SignInService {
    /// Lets somebody who has given the password give the code within five minutes.
    func askForCode(_ found: StoredCredentials, from address: IPAddress) async throws -> PendingSignInToken {
        let userID = found.account.user.id
        let (characters, record) = context.vault.current.mint(.pendingSignIn, random: context.random)
        let authority = Authority(.password(version: found.password.version, of: userID), from: address)
        try await context.store.addPendingSignIn(
            PendingSignIn(
                userID: userID, passwordVersion: found.password.version, createdAt: context.clocks.wall()),
            digest: record.digest, by: authority, audit: context.event(.codeAsked, by: authority, user: userID))
        return PendingSignInToken(characters: characters)
    }

    /// Whether somebody may still give the code.
    ///
    /// - Throws: `UNAVAILABLE`.
    public func isWaiting(_ token: PendingSignInToken) async throws -> Bool { try await pending(token) != nil }

    /// Starts a session for someone who has given the password and gives a code, of the app or a recovery code.
    ///
    /// - Throws: `UNAUTHORIZED` for a wrong code, and where the sign-in must begin again: it is over, or the password was
    ///   changed meanwhile; `RATE_LIMITED`; `UNAVAILABLE`.
    public func withCode(
        _ code: String, _ token: PendingSignInToken, from address: IPAddress, userAgent: String,
        inPlaceOf cookie: SessionToken? = nil
    ) async throws -> (signedIn: SessionService.SignedIn, token: SessionToken) {
        guard let (pending, digest) = try await pending(token),
            let found = try await context.store.credentials(of: pending.userID)
        else { throw Self.beginAgain }
        let user = found.account.user
        return try await throttle.attempt(user.email, from: address, clears: { _ in !found.hasTwin }) {
            guard try await context.store.countAttempt(ofPendingSignIn: digest),
                found.hasSecondFactor, found.password.version == pending.passwordVersion
            else { throw Self.beginAgain }
            guard let proof = try await secondFactors.proof(of: code, for: user.id) else {
                throw KeybearerError.wrongCode
            }
            let authority = Authority(.password(version: pending.passwordVersion, of: user.id), from: address)
            return try await sessions.start(
                for: found.account, replacing: try await sessions.replaced(by: cookie, authority),
                action: .sessionStarted, by: authority, userAgent: userAgent,
                proof: SignInProof(proof, pending: digest))
        }
    }

    private func pending(_ token: PendingSignInToken) async throws -> (PendingSignIn, digest: [UInt8])? {
        switch context.origin(of: token.characters, kind: .pendingSignIn, at: node) {
        case .genuine: break
        case .forged: return nil
        case .unknown: throw KeybearerError.unavailable()
        }
        let digest = token.digest
        guard let found = try await context.store.pendingSignIn(digest: digest, now: context.clocks.wall()),
            found.pending.isAlive(at: found.now)
        else { return nil }
        return (found.pending, digest)
    }

    private static let beginAgain = KeybearerError.authorityEnded("Sign in again.")
}
