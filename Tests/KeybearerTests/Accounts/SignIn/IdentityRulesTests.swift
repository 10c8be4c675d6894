import TestSupport
import Testing

@testable import Keybearer

/// ``IdentityRules``: who somebody is here whom the provider has vouched for, by its ``IdentityClaims`` alone.
@Suite struct IdentityRulesTests {
    private let samples = Samples()

    private func account(
        _ email: String, isVerified: Bool, _ status: User.Status = .active
    ) -> Account {
        let new = samples.newAccount(email: email)
        let user = User(
            id: new.user.id, email: EmailAddress(normalised: email), name: "Ada", status: status,
            createdAt: Samples.start, isEmailVerified: isVerified)
        return Account(user: user, key: new.key, workspaces: [])
    }

    private func outcome(
        _ claims: IdentityClaims, owner: Account? = nil, holders: [Account] = [],
        _ trust: IdentitySettings.EmailTrust = .verified, provisions: Bool = false
    ) -> IdentityOutcome {
        IdentityRules.outcome(
            of: claims, owner: owner, holders: holders,
            settings: IdentitySettings(
                issuer: FixedIdentityProvider.issuer, name: "Example", emailTrust: trust,
                isProvisioningOpen: provisions))
    }

    @Test("The only way to sign in is the last identity, or the last that signs in, of an account without a password")
    func onlyWay() {
        let (one, two) = (Identity(issuer: "here", subject: "1"), Identity(issuer: "here", subject: "2"))
        let old = Identity(issuer: "old", subject: "1")
        let cases: [(identity: Identity, all: [Identity], issuer: String?, isOnly: Bool)] = [
            (one, [one], "here", true), (one, [one], nil, true), (old, [old], "here", true),
            (one, [one, two], "here", false), (one, [one, old], "here", true), (old, [one, old], "here", false),
            (one, [one, old], nil, false), (old, [old, one, two], "here", false),
            (one, [one, two, old], "here", false),
        ]
        for (identity, all, issuer, isOnly) in cases {
            #expect(
                IdentityRules.isOnlyWay(identity, of: all, hasPassword: false, issuer: issuer) == isOnly,
                "\(identity) of \(all) at \(issuer ?? "none")")
            #expect(!IdentityRules.isOnlyWay(identity, of: all, hasPassword: true, issuer: issuer))
        }
    }

    @Test(
        "Whose identity it is signs in, whatever the provider says of the address by now; a disabled account does not")
    func owner() {
        let ada = account("ada@example.com", isVerified: false)
        let eve = account("eve@example.com", isVerified: true)
        for email in ["ada@example.com", "eve@example.com", "new@example.com", "", nil] {
            for verification in IdentityClaims.Verification.allCases {
                let claims = FixedIdentityProvider.claims(email: email, verification)
                #expect(outcome(claims, owner: ada, holders: [eve], provisions: true) == .signIn(ada))
            }
        }
        let disabled = account("ada@example.com", isVerified: true, .disabled)
        #expect(outcome(FixedIdentityProvider.claims(), owner: disabled, holders: [eve]) == .refuse)
    }

    @Test("An account is linked by its address only where both sides have verified it")
    func link() {
        let trusted: [(IdentitySettings.EmailTrust, Set<IdentityClaims.Verification>)] = [
            (.verified, [.verified]), (.verifiedText, [.verified, .verifiedText]), (.absent, [.verified, .absent]),
        ]
        for (trust, believed) in trusted {
            for verification in IdentityClaims.Verification.allCases {
                for isVerified in [true, false] {
                    for provisions in [true, false] {
                        let ada = account("ada@example.com", isVerified: isVerified)
                        let found = outcome(
                            FixedIdentityProvider.claims(verification), holders: [ada], trust, provisions: provisions)
                        let isLinked = isVerified && believed.contains(verification)
                        #expect(
                            found == (isLinked ? .link(ada) : .signInFirst), "\(trust) \(verification) \(isVerified)")
                    }
                }
            }
        }
        let disabled = account("ada@example.com", isVerified: true, .disabled)
        #expect(outcome(FixedIdentityProvider.claims(), holders: [disabled]) == .refuse)
        let unproved = account("ada@example.com", isVerified: false, .disabled)
        #expect(outcome(FixedIdentityProvider.claims(), holders: [unproved]) == .signInFirst)
    }

    @Test("Two accounts whose addresses differ in spelling alone, or one in another spelling, are not guessed")
    func twins() {
        let (one, two) = ("ada@example.com", "ädä@example.com")
        let twins = [account(one, isVerified: true), account(two, isVerified: true)]
        #expect(outcome(FixedIdentityProvider.claims(), holders: twins) == .signInFirst)
        #expect(outcome(FixedIdentityProvider.claims(), holders: [twins[1]], provisions: true) == .signInFirst)
    }

    @Test("Somebody whom nobody knows gets an account where the operator wants that, and never a second one")
    func create() throws {
        let email = try #require(EmailAddress("ada@example.com"))
        #expect(outcome(FixedIdentityProvider.claims()) == .signInFirst)
        for (verification, isVerified) in [
            (IdentityClaims.Verification.verified, true), (.verifiedText, false), (.unverified, false),
            (.absent, false),
        ] {
            #expect(
                outcome(FixedIdentityProvider.claims(verification), provisions: true)
                    == .create(name: "Ada", email: email, isEmailVerified: isVerified))
        }
        for name in [nil, "", " ", "a\u{0}b", "\u{200B}"] {
            #expect(
                outcome(FixedIdentityProvider.claims(name: name), provisions: true)
                    == .create(name: "ada", email: email, isEmailVerified: true))
        }
        for malformed in [nil, "", "ada", "ada@", "a\u{0}da@example.com"] {
            #expect(outcome(FixedIdentityProvider.claims(email: malformed), provisions: true) == .signInFirst)
        }
    }
}

extension FixedIdentityProvider {
    fileprivate static func claims(_ verification: IdentityClaims.Verification) -> IdentityClaims {
        claims("ada", email: "Ada@Example.com", verification, name: "Ada")
    }
}
