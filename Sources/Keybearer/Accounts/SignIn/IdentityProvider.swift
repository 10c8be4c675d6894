/// An OpenID Connect provider as the domain needs it. The module `KeybearerOutbound` has the client.
package protocol IdentityProvider: Sendable {
    /// The provider's page to which a browser is sent.
    ///
    /// - Throws: ``IdentityProviderFailure``.
    func authorizationURL(for request: AuthorizationRequest) async throws -> String
    /// Trades a code for what the provider says of the person. What it says is checked: signature, issuer, audience,
    /// times and nonce.
    ///
    /// - Throws: ``IdentityProviderFailure``.
    func claims(for grant: AuthorizationGrant) async throws -> IdentityClaims
}

/// What the provider's page is called with.
package struct AuthorizationRequest: Sendable, Hashable {
    /// Where the provider sends the browser back to.
    package let redirectURI: String
    /// Comes back with the browser.
    package let state: String
    /// Comes back in the ID token.
    package let nonce: String
    /// The digest of the verifier that the code is traded with (PKCE, S256).
    package let codeChallenge: String
    /// Whether the person must give proof again, even where the provider knows them.
    package let asksAgain: Bool

    /// Puts the parts together.
    package init(redirectURI: String, state: String, nonce: String, codeChallenge: String, asksAgain: Bool) {
        self.redirectURI = redirectURI
        self.state = state
        self.nonce = nonce
        self.codeChallenge = codeChallenge
        self.asksAgain = asksAgain
    }
}

/// What a code is traded with, and what the ID token must say.
package struct AuthorizationGrant: Sendable, Hashable {
    /// The code, a secret.
    package let code: String
    /// The same as in the request.
    package let redirectURI: String
    /// The secret behind the challenge.
    package let codeVerifier: String
    /// What the ID token must carry.
    package let nonce: String
    /// When the person must have given proof at the earliest; nil where any time will do.
    package let authenticatedAfter: Timestamp?

    /// Puts the parts together.
    package init(
        code: String, redirectURI: String, codeVerifier: String, nonce: String, authenticatedAfter: Timestamp?
    ) {
        self.code = code
        self.redirectURI = redirectURI
        self.codeVerifier = codeVerifier
        self.nonce = nonce
        self.authenticatedAfter = authenticatedAfter
    }
}

/// What a provider says of a person.
package struct IdentityClaims: Sendable, Hashable {
    /// What it says of the address (`email_verified`).
    package enum Verification: Sendable, Hashable, CaseIterable {
        /// JSON `true`.
        case verified
        /// The string `"true"`, as some providers write it.
        case verifiedText
        /// Anything else.
        case unverified
        /// Nothing.
        case absent
    }

    /// Who it is.
    package let identity: Identity
    /// The address; nil where the provider names none.
    package let email: String?
    /// Whether the provider knows that the address is the person's.
    package let verification: Verification
    /// What the person is called.
    package let name: String?

    /// Puts the claims together.
    package init(identity: Identity, email: String?, verification: Verification, name: String?) {
        self.identity = identity
        self.email = email
        self.verification = verification
        self.name = name
    }
}

/// Why a provider's part of a sign-in failed. The text is for the log alone; it holds no code and no token.
package enum IdentityProviderFailure: Error, Sendable, Hashable, CustomStringConvertible {
    /// The provider cannot be reached, or does not answer as its standard says.
    case unreachable(String)
    /// What it sent is refused, or it refused what we sent.
    case refused(String)

    /// What happened, for the log.
    package var description: String {
        switch self {
        case .unreachable(let text), .refused(let text): text
        }
    }
}
