/// Who somebody is at an OpenID Connect provider: the pair by which an account is found.
///
/// An e-mail address is no part of it: providers give addresses to other people, and people change theirs.
public struct Identity: Sendable, Hashable {
    /// The provider, exactly as it names itself in its tokens (`iss`).
    public let issuer: String
    /// The person at that provider (`sub`); 1 to 255 bytes.
    public let subject: String

    /// Puts both together.
    package init(issuer: String, subject: String) {
        self.issuer = issuer
        self.subject = subject
    }

    /// How many identities one account can have.
    package static let mostPerAccount = 10
}

/// Who somebody is at the provider, where no account has that identity yet: it waits until the person has signed in
/// here in another way.
package struct PendingIdentity: Sendable, Hashable {
    /// Who it is.
    package let identity: Identity
    /// The address that the provider names, to be shown; nil where it names none.
    package let email: String?

    /// Puts both together.
    package init(identity: Identity, email: String?) {
        self.identity = identity
        self.email = email
    }
}
