import Keybearer
import KeybearerOutbound

/// What `doctor` says about sign-in with an OpenID Connect provider.
struct ProviderExamination: Sendable {
    let bootstrap: Bootstrap

    private static let subject = "oidc"

    /// Nothing where no provider is configured.
    func findings() async -> [Finding] {
        let provider = bootstrap.settings.provider
        guard let issuer = provider.issuer else { return [] }
        do {
            let keys = try await bootstrap.withIdentityProvider { try await $0?.check() ?? 0 }
            var findings = [
                keys > 0
                    ? Finding(.ok, Self.subject, "\(issuer) can be reached and has \(keys) keys.")
                    : Finding(
                        .broken, Self.subject, "\(issuer) has no keys that ID tokens could be checked with.",
                        mend: "Have the provider sign with RS256, PS256, ES256 or EdDSA.")
            ]
            if provider.emailTrust == .absent {
                findings.append(
                    Finding(
                        .warning, Self.subject,
                        "Addresses count as verified although the provider does not say so (oidc-email-verified).",
                        mend: "Keep this only if the provider lets nobody choose an address."))
            }
            return findings
        } catch let failure as IdentityProviderFailure {
            return [
                Finding(
                    .broken, Self.subject, "\(issuer) cannot be used: \(failure).",
                    mend: "Check oidc-issuer, and whether this machine reaches the provider over HTTPS.")
            ]
        } catch let failure as CommandFailure {
            return [
                Finding(.broken, Self.subject, failure.message, mend: "Change the setting, or the file that it names.")
            ]
        } catch {
            return [
                Finding(
                    .broken, Self.subject, "The client cannot be started.", mend: "Look at the limits of open files.")
            ]
        }
    }
}
