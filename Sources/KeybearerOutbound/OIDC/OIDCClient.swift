import AsyncHTTPClient
import Foundation
package import Keybearer
import NIOCore
import NIOPosix

/// The secret of this deployment at the provider. Prints as nothing but its kind.
package struct ClientSecret: Sendable, CustomStringConvertible, CustomReflectable {
    fileprivate let text: String

    /// Wraps it.
    package init(_ text: String) {
        self.text = text
    }

    package var description: String { "client secret" }
    package var customMirror: Mirror { Mirror(self, children: []) }
}

/// The client of one OpenID Connect provider: authorization code with PKCE, `state` and `nonce`.
package struct OIDCClient: IdentityProvider {
    /// Who this deployment is to which provider.
    package struct Settings: Sendable {
        let issuer: ProviderURL
        let clientID: String
        let secret: ClientSecret?

        /// Puts the settings together.
        package init(issuer: ProviderURL, clientID: String, secret: ClientSecret?) {
            self.issuer = issuer
            self.clientID = clientID
            self.secret = secret
        }
    }

    private let settings: Settings
    private let clocks: Clocks
    private let http: HTTPFetch
    private let metadata: FetchedDocument<ProviderMetadata>
    private let keys: FetchedDocument<JSONWebKeys>

    init(_ settings: Settings, clocks: Clocks, http: HTTPFetch) {
        self.settings = settings
        self.clocks = clocks
        self.http = http
        let issuer = settings.issuer
        let metadata = FetchedDocument(steady: clocks.steady) { end in
            let url = try ProviderURL(parsing: issuer.discoveryURL)
            let body = try await Self.document(url, "the discovery document", http, until: end)
            return try ProviderMetadata(parsing: body, of: issuer)
        }
        self.metadata = metadata
        keys = FetchedDocument(steady: clocks.steady) { end in
            let url = try await metadata.value(until: end).keysURL
            return try JSONWebKeys(parsing: try await Self.document(url, "the keys", http, until: end))
        }
    }

    /// Lends a client, on a thread of its own: what it does for its connections never delays requests.
    package static func withClient<Value: Sendable>(
        _ settings: Settings, clocks: Clocks = .system, _ body: (OIDCClient) async throws -> Value
    ) async throws -> Value {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let result: Value
        do {
            result = try await HTTPClient.withHTTPClient(
                eventLoopGroup: group, configuration: HTTPFetch.configuration
            ) { client in
                try await body(OIDCClient(settings, clocks: clocks, http: HTTPFetch(client: client)))
            }
        } catch {
            try? await group.shutdownGracefully()
            throw error
        }
        try await group.shutdownGracefully()
        return result
    }

    private static func document(
        _ url: ProviderURL, _ what: String, _ http: HTTPFetch, until end: ContinuousClock.Instant
    ) async throws -> [UInt8] {
        let reply = try await http.get(url, what, until: end)
        guard reply.status == 200 else {
            throw IdentityProviderFailure.unreachable("\(what): the provider answers \(reply.status)")
        }
        return reply.body
    }

    private static var end: ContinuousClock.Instant { .now.advanced(by: HTTPFetch.patience) }

    /// Whether the provider can be used: its document and its keys are fetched.
    ///
    /// - Returns: how many keys it has.
    /// - Throws: ``IdentityProviderFailure``.
    package func check() async throws -> Int {
        try await keys.value(until: Self.end).keys.count
    }

    package func authorizationURL(for request: AuthorizationRequest) async throws -> String {
        let endpoint = try await metadata.value(until: Self.end).authorizationEndpoint.text
        var query = [
            ("response_type", "code"), ("client_id", settings.clientID), ("redirect_uri", request.redirectURI),
            ("scope", "openid email profile"), ("state", request.state), ("nonce", request.nonce),
            ("code_challenge", request.codeChallenge), ("code_challenge_method", "S256"),
        ]
        if request.asksAgain { query += [("prompt", "login"), ("max_age", "0")] }
        return endpoint + (endpoint.contains("?") ? "&" : "?") + HTTPFetch.encode(query)
    }

    package func claims(for grant: AuthorizationGrant) async throws -> IdentityClaims {
        let end = Self.end
        let metadata = try await metadata.value(until: end)
        let tokens = try await tokens(for: grant, metadata, until: end)
        let token = try IDToken(parsing: tokens.id_token)
        let claims = try await token.claims(
            by: try await key(of: token, until: end),
            IDToken.Expectation(
                issuer: settings.issuer.text, clientID: settings.clientID, nonce: grant.nonce,
                authenticatedAfter: grant.authenticatedAfter, now: clocks.wall()))
        guard claims.email == nil, let endpoint = metadata.userInfoEndpoint, let access = tokens.access_token else {
            return claims
        }
        return try await completed(claims, from: endpoint, with: access, until: end)
    }

    /// The key that a token names. One that is not known may be new: the provider has rotated its keys.
    private func key(of token: IDToken, until end: ContinuousClock.Instant) async throws -> JSONWebKeys.Key {
        if let key = try await keys.value(until: end).key(id: token.keyID, for: token.algorithm) { return key }
        if let key = try await keys.renewed(until: end)?.key(id: token.keyID, for: token.algorithm) { return key }
        throw IdentityProviderFailure.refused("the ID token's key is none of the provider's")
    }

    private struct Tokens: Decodable {
        let id_token: String
        let access_token: String?
    }

    private struct Refusal: Decodable {
        let error: String
    }

    private func tokens(
        for grant: AuthorizationGrant, _ metadata: ProviderMetadata, until end: ContinuousClock.Instant
    ) async throws -> Tokens {
        var form = [
            ("grant_type", "authorization_code"), ("code", grant.code), ("redirect_uri", grant.redirectURI),
            ("code_verifier", grant.codeVerifier),
        ]
        var authorization: String?
        switch (settings.secret, metadata.authentication) {
        case (let secret?, .basic):
            // Both are escaped as in a form first (RFC 6749 §2.3.1).
            let pair = "\(HTTPFetch.escape(settings.clientID)):\(HTTPFetch.escape(secret.text))"
            authorization = "Basic \(Data(pair.utf8).base64EncodedString())"
        case (let secret?, .post): form += [("client_id", settings.clientID), ("client_secret", secret.text)]
        case (nil, _): form += [("client_id", settings.clientID)]
        }
        let reply = try await http.post(
            form, to: metadata.tokenEndpoint, "the token endpoint", authorization: authorization, until: end)
        guard reply.status == 200 else {
            let said = (try? JSONDecoder().decode(Refusal.self, from: Data(reply.body)))?.error ?? "without a reason"
            let words = "the token endpoint answers \(reply.status), \(Self.plain(said))"
            throw (400..<500).contains(reply.status)
                ? IdentityProviderFailure.refused(words) : IdentityProviderFailure.unreachable(words)
        }
        guard let tokens = try? JSONDecoder().decode(Tokens.self, from: Data(reply.body)) else {
            throw IdentityProviderFailure.refused("the token endpoint's answer holds no ID token")
        }
        return tokens
    }

    /// An error code of the provider, as far as it is one.
    private static func plain(_ text: String) -> String {
        let isCode = (1...60).contains(text.utf8.count) && text.utf8.allSatisfy { (97...122).contains($0) || $0 == 95 }
        return isCode ? text : "with a reason that is no code"
    }

    private struct UserInfo: Decodable {
        let sub: String
        let email: String?
        let email_verified: IDToken.Flag?
        let name: String?
    }

    /// With the address from where the standard puts it for this flow (OpenID Connect Core 1.0 §5.4). What is said of
    /// another person is ignored.
    private func completed(
        _ claims: IdentityClaims, from endpoint: ProviderURL, with access: String, until end: ContinuousClock.Instant
    ) async throws -> IdentityClaims {
        guard access.utf8.allSatisfy({ $0 > 32 && $0 < 127 }) else { return claims }
        let body = try await http.get(endpoint, "the userinfo endpoint", bearer: access, until: end)
        guard body.status == 200, let found = try? JSONDecoder().decode(UserInfo.self, from: Data(body.body)),
            found.sub == claims.identity.subject
        else { return claims }
        return IdentityClaims(
            identity: claims.identity, email: found.email,
            verification: found.email_verified?.verification ?? .absent, name: claims.name ?? found.name)
    }
}
