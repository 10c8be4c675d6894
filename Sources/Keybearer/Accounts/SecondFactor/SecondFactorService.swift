/// Two-step sign-in: setting an authenticator app up, its recovery codes, turning it off. ``SignInService`` asks for the
/// codes.
public final class SecondFactorService: Sendable {
    /// What the account's page says.
    package struct Status: Sendable, Hashable {
        /// Since when it is on.
        package let since: Timestamp
        /// How many recovery codes are left.
        package let codesLeft: Int
    }

    private let context: ServiceContext
    private let throttle: SignInThrottle

    init(context: ServiceContext, throttle: SignInThrottle) {
        self.context = context
        self.throttle = throttle
    }

    /// Whether an account has it, and since when.
    package func status(of userID: UserID) async throws -> Status? {
        try await context.store.secondFactor(of: userID).map {
            Status(since: $0.factor.createdAt, codesLeft: $0.codesLeft)
        }
    }

    /// A secret for an app. Nothing is stored before a code shows that the app has it.
    package func makeSecret() -> OneTimePassword { .random(from: context.random) }

    /// Turns it on for a person whose app shows the right code. Other sessions end: they were begun without one.
    ///
    /// - Returns: the recovery codes, which are never shown again.
    /// - Throws: `VALIDATION_FAILED` with the field `code`; `CONFLICT` where it is on; `FORBIDDEN` for an account without
    ///   a password, and where the sign-in is not recent.
    package func turnOn(
        _ app: OneTimePassword, code: String, for signedIn: SessionService.SignedIn, from address: IPAddress
    ) async throws -> [RecoveryCode] {
        let userID = signedIn.account.user.id
        guard signedIn.account.user.hasPassword else {
            throw KeybearerError(.forbidden, "This account has no password that a second step could protect.")
        }
        guard let step = app.step(of: code, at: context.clocks.wall()) else {
            throw KeybearerError.validation([
                "code": "This is not the code that the app shows now. If it stays, check the clock of your device."
            ])
        }
        let id = SecondFactorID.random(from: context.random)
        let sealed = try context.vault.current.seal(app.secret, boundTo: SecondFactor.binding(id, of: userID))
        let codes = makeRecoveryCodes()
        let authority = signedIn.authority(from: address)
        try await context.store.addSecondFactor(
            SecondFactor(id: id, userID: userID, sealed: sealed, createdAt: context.clocks.wall()), lastStep: step,
            recoveryCodes: codes.map { $0.digest(of: userID) }, keeping: signedIn.session.id, by: authority,
            audit: context.event(.secondFactorAdded, by: authority, user: userID))
        return codes
    }

    /// Makes new recovery codes; the old ones no longer work.
    ///
    /// - Throws: `VALIDATION_FAILED` with the field `code`; `RATE_LIMITED`; `CONFLICT` where it is off.
    package func replaceRecoveryCodes(
        code: String, for signedIn: SessionService.SignedIn, from address: IPAddress
    ) async throws -> [RecoveryCode] {
        let codes = makeRecoveryCodes()
        let userID = signedIn.account.user.id
        try await withProof(code, signedIn, address) { [context] proof, authority in
            try await context.store.replaceRecoveryCodes(
                of: userID, with: codes.map { $0.digest(of: userID) }, proof: proof, by: authority,
                audit: context.event(.recoveryCodesReplaced, by: authority, user: userID, detail: proof.detail))
        }
        return codes
    }

    /// Turns it off.
    ///
    /// - Throws: as ``replaceRecoveryCodes(code:for:from:)``.
    package func turnOff(
        code: String, for signedIn: SessionService.SignedIn, from address: IPAddress
    ) async throws {
        let userID = signedIn.account.user.id
        try await withProof(code, signedIn, address) { [context] proof, authority in
            try await context.store.removeSecondFactor(
                of: userID, proof: proof, by: authority,
                audit: context.event(.secondFactorRemoved, by: authority, user: userID, detail: proof.detail))
        }
    }

    /// Throttled like a sign-in: who stole a session must not guess a code here.
    private func withProof(
        _ code: String, _ signedIn: SessionService.SignedIn, _ address: IPAddress,
        _ change: @Sendable (SecondFactorProof, Authority) async throws -> Void
    ) async throws {
        let user = signedIn.account.user
        do {
            try await throttle.attempt(user.email, from: address, clears: { _ in false }) {
                guard let proof = try await proof(of: code, for: user.id) else { throw KeybearerError.wrongCode }
                try await change(proof, signedIn.authority(from: address))
            }
        } catch let error as KeybearerError where error.isWrongCode {
            throw KeybearerError.validation(["code": error.message])
        }
    }

    /// What a code proves, before it is used up; nil where it is wrong.
    ///
    /// - Throws: `CONFLICT` where the account has no second factor; `UNAVAILABLE` on a node that only verifies.
    func proof(of code: String, for userID: UserID) async throws -> SecondFactorProof? {
        guard let (factor, _) = try await context.store.secondFactor(of: userID) else {
            throw KeybearerError.noSecondFactor
        }
        if let code = RecoveryCode(parsing: code) { return .recoveryCode(code.digest(of: userID)) }
        let secret = try context.vault.current.open(
            factor.sealed, boundTo: SecondFactor.binding(factor.id, of: userID))
        let step = OneTimePassword(secret: secret).step(of: code, at: context.clocks.wall())
        return step.map { .code(factor.id, step: $0) }
    }

    private func makeRecoveryCodes() -> [RecoveryCode] {
        (0..<RecoveryCode.count).map { _ in .random(from: context.random) }
    }
}
