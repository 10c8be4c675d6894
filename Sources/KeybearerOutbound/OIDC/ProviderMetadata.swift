import Foundation
import Keybearer

/// What a provider says of itself (OpenID Connect Discovery 1.0 §3), as far as it is used here.
struct ProviderMetadata: Sendable {
    /// How a client shows the token endpoint who it is.
    enum ClientAuthentication: String, Sendable {
        case basic = "client_secret_basic"
        case post = "client_secret_post"
    }

    let authorizationEndpoint: ProviderURL
    let tokenEndpoint: ProviderURL
    let keysURL: ProviderURL
    let userInfoEndpoint: ProviderURL?
    let authentication: ClientAuthentication

    private struct Document: Decodable {
        let issuer: String
        let authorization_endpoint: String
        let token_endpoint: String
        let jwks_uri: String
        let userinfo_endpoint: String?
        let token_endpoint_auth_methods_supported: [String]?
    }

    /// Reads the document of an issuer. One that names another issuer is refused: it would have tokens accepted that the
    /// operator did not ask for.
    init(parsing body: [UInt8], of issuer: ProviderURL) throws(IdentityProviderFailure) {
        guard let document = try? JSONDecoder().decode(Document.self, from: Data(body)) else {
            throw .unreachable("the discovery document: it lacks an endpoint, or is no JSON object")
        }
        guard document.issuer == issuer.text else {
            throw .unreachable("the discovery document: it names another issuer than the setting oidc-issuer")
        }
        authorizationEndpoint = try Self.endpoint(document.authorization_endpoint, "authorization_endpoint", of: issuer)
        tokenEndpoint = try Self.endpoint(document.token_endpoint, "token_endpoint", of: issuer)
        keysURL = try Self.endpoint(document.jwks_uri, "jwks_uri", of: issuer)
        userInfoEndpoint = try document.userinfo_endpoint.map { text throws(IdentityProviderFailure) in
            try Self.endpoint(text, "userinfo_endpoint", of: issuer)
        }
        // Without a list the standard says: basic.
        let methods = document.token_endpoint_auth_methods_supported ?? [ClientAuthentication.basic.rawValue]
        authentication = methods.contains(ClientAuthentication.basic.rawValue) ? .basic : .post
    }

    /// Over HTTPS; where the issuer is on this machine, `http:` on this machine too.
    private static func endpoint(
        _ text: String, _ name: String, of issuer: ProviderURL
    ) throws(IdentityProviderFailure) -> ProviderURL {
        guard let url = try? ProviderURL(parsing: text, allowsQuery: true),
            issuer.isLoopback || text.lowercased().hasPrefix("https://")
        else { throw .unreachable("the discovery document: \(name) is no https URL") }
        return url
    }
}
