import Foundation
import Keybearer
import KeybearerOutbound

#if canImport(CDispatch)
// The compiler takes `stat` for a declaration of the one of these modules that it has seen first.
import CDispatch
import CoreFoundation
#endif

/// The settings of sign-in with an OpenID Connect provider.
struct ProviderOptions: Sendable {
    /// The provider; nil offers no sign-in with one.
    var issuer: ProviderURL?
    /// Who this deployment is there.
    var clientID: String?
    /// The file with this deployment's secret there; nil for a client without one.
    var secretFile: String?
    /// What people call the provider.
    var name = "single sign-on"
    /// Which of its words about an address are believed.
    var emailTrust = IdentitySettings.EmailTrust.verified
    /// Whether a person whom nobody knows gets an account.
    var isProvisioningOpen = false

    /// What the domain needs of them.
    var identities: IdentitySettings? {
        issuer.map {
            IdentitySettings(
                issuer: $0.text, name: name, emailTrust: emailTrust, isProvisioningOpen: isProvisioningOpen)
        }
    }

    /// Who this deployment is at the provider, with the secret of the file.
    ///
    /// - Returns: nil where no provider is configured.
    /// - Throws: ``CommandFailure`` where a setting beside the issuer is missing, or the file cannot be used.
    func client(publicURL: PublicURL?) throws -> OIDCClient.Settings? {
        guard let issuer else { return nil }
        guard let clientID else { throw Self.missing(.oidcClientID) }
        guard publicURL != nil else { throw Self.missing(.publicURL) }
        let secret = try secretFile.map { try Self.secret(in: $0) }
        return OIDCClient.Settings(issuer: issuer, clientID: clientID, secret: secret)
    }

    private static func missing(_ setting: Setting) -> CommandFailure {
        CommandFailure(
            .configuration,
            "setting \(setting.rawValue): got nothing from any place, wants \(setting.wants), beside "
                + Setting.oidcIssuer.rawValue)
    }

    /// The one line of the file, which nobody but its owner may read.
    private static func secret(in path: String) throws -> ClientSecret {
        let refusal = { (problem: String) in
            CommandFailure(.configuration, "the file of \(Setting.oidcClientSecretFile.rawValue), \(path), \(problem)")
        }
        var information = stat()
        guard stat(path, &information) == 0, information.st_mode & S_IFMT == S_IFREG else {
            throw refusal("is not there, or is no regular file")
        }
        guard information.st_mode & 0o077 == 0 else {
            throw refusal("can be read by others; run: chmod 600 \(path)")
        }
        guard let data = FileManager.default.contents(atPath: path), data.count <= 4_096,
            let text = String(data: data, encoding: .utf8)
        else { throw refusal("cannot be read, or is no short text") }
        let line = text.trimmingCharacters(in: .whitespacesAndNewlines)
        guard !line.isEmpty, line.utf8.allSatisfy({ $0 > 31 && $0 < 127 }) else {
            throw refusal("does not hold one line with the secret")
        }
        return ClientSecret(line)
    }
}

extension SettingReader {
    /// The settings of sign-in with a provider. What must be there beside the issuer is checked where the client is made.
    func provider() throws(SettingError) -> ProviderOptions {
        var options = ProviderOptions()
        if let found = sources.find(.oidcIssuer) {
            do {
                options.issuer = try ProviderURL(parsing: found.value)
            } catch {
                throw refusal(.oidcIssuer, found, because: "\(error)")
            }
        }
        options.clientID = try optional(.oidcClientID) { text in
            (1...255).contains(text.utf8.count) && text.utf8.allSatisfy { $0 > 31 && $0 < 127 } ? text : nil
        }
        options.secretFile = try optional(.oidcClientSecretFile) { $0.isEmpty || $0.contains("\0") ? nil : $0 }
        options.name = try required(.oidcName) { text in
            (1...60).contains(text.count) && !text.unicodeScalars.contains { $0.value < 32 || $0.value == 127 }
                ? text : nil
        }
        options.emailTrust = try required(.oidcEmailVerified) { IdentitySettings.EmailTrust(rawValue: $0) }
        options.isProvisioningOpen = try required(.oidcProvision) { ["open": true, "closed": false][$0] }
        return options
    }
}
