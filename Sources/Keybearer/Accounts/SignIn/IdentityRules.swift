/// What the operator has decided about sign-in with a provider.
public struct IdentitySettings: Sendable, Hashable {
    /// Which of a provider's words about an address are believed.
    public enum EmailTrust: String, Sendable, Hashable, CaseIterable {
        /// JSON `true` alone, as the standard says.
        case verified = "true"
        /// The string `"true"` too.
        case verifiedText = "string"
        /// A provider that says nothing about its addresses too: all of them are verified.
        case absent = "absent"
    }

    /// The provider, exactly as it names itself.
    public var issuer: String
    /// What people call it.
    public var name: String
    /// Which words about an address are believed.
    public var emailTrust: EmailTrust
    /// Whether a person whom nobody knows gets an account.
    public var isProvisioningOpen: Bool

    /// Puts the settings together.
    public init(issuer: String, name: String, emailTrust: EmailTrust = .verified, isProvisioningOpen: Bool = false) {
        self.issuer = issuer
        self.name = name
        self.emailTrust = emailTrust
        self.isProvisioningOpen = isProvisioningOpen
    }
}

/// What becomes of a person whom the provider has vouched for.
package enum IdentityOutcome: Sendable, Hashable {
    /// The identity is this account's.
    case signIn(Account)
    /// The identity becomes this account's: the provider and the operator, or mail from here, both say whose address it
    /// is.
    case link(Account)
    /// A new account without a password.
    case create(name: String, email: EmailAddress, isEmailVerified: Bool)
    /// Somebody must show first that the account, if there is one, is theirs.
    case signInFirst
    /// The account is disabled.
    case refuse
}

/// Decides who a person is here. Pure: the store is asked before, and the store looks again in the transaction.
package enum IdentityRules {
    /// - Parameters:
    ///   - owner: whose the identity is; nil for nobody's.
    ///   - holders: the accounts that have the address, in any spelling.
    package static func outcome(
        of claims: IdentityClaims, owner: Account?, holders: [Account], settings: IdentitySettings
    ) -> IdentityOutcome {
        // Whatever the address is by now: it moves nobody to another account, and changes none.
        if let owner { return owner.user.status == .active ? .signIn(owner) : .refuse }
        guard let email = claims.email.flatMap({ EmailAddress($0) }) else { return .signInFirst }
        let isVerified = isVerified(claims.verification, settings)
        if let holder = holders.first {
            // Two spellings of one address are two accounts of version 0.1: nobody knows which is meant.
            guard holders.count == 1, holder.user.email == email, isVerified, holder.user.isEmailVerified else {
                return .signInFirst
            }
            return holder.user.status == .active ? .link(holder) : .refuse
        }
        guard settings.isProvisioningOpen else { return .signInFirst }
        return .create(name: name(of: claims, email), email: email, isEmailVerified: isVerified)
    }

    /// Whether nobody could sign in to an account without one of its identities.
    ///
    /// Without a password there must be another identity, and where this one signs in, one that signs in too. Portal links
    /// do not count: it is the product that makes them.
    ///
    /// - Parameters:
    ///   - identities: all of the account.
    ///   - issuer: the provider at which people sign in; nil for none.
    package static func isOnlyWay(
        _ identity: Identity, of identities: [Identity], hasPassword: Bool, issuer: String?
    ) -> Bool {
        if hasPassword { return false }
        let others = identities.filter { $0 != identity }
        return others.isEmpty || identity.issuer == issuer && !others.contains { $0.issuer == issuer }
    }

    /// Whether a provider's word about an address is believed.
    static func isVerified(_ verification: IdentityClaims.Verification, _ settings: IdentitySettings) -> Bool {
        switch verification {
        case .verified: true
        case .verifiedText: settings.emailTrust == .verifiedText
        case .absent: settings.emailTrust == .absent
        case .unverified: false
        }
    }

    /// What the provider calls the person, where people here may be called so; else what stands before the `@`.
    private static func name(of claims: IdentityClaims, _ email: EmailAddress) -> String {
        let name = NameRules.normalised(claims.name ?? "")
        return NameRules.problem(with: name) == nil ? name : String(email.rawValue.prefix { $0 != "@" })
    }
}
