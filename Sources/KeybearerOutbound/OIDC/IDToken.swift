import Foundation
import JWTKit
import Keybearer

/// An ID token and all that is checked of it (OpenID Connect Core 1.0 §3.1.3.7): first what its header says, then the
/// signature, and only then what it claims.
struct IDToken: Sendable {
    /// How far the provider's clock may be from this machine's.
    static let skew: Duration = .seconds(120)

    /// What it must say.
    struct Expectation: Sendable {
        let issuer: String
        let clientID: String
        let nonce: String
        let authenticatedAfter: Timestamp?
        let now: Timestamp
    }

    private struct Header: Decodable {
        let alg: String
        let kid: String?
        let crit: [String]?
    }

    private let text: String
    /// The key that it names.
    let keyID: String?
    let algorithm: SignatureAlgorithm

    /// Reads the header. Nothing of it is believed: it chooses among the provider's own keys.
    init(parsing text: String) throws(IdentityProviderFailure) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, let bytes = Self.decoded(parts[0]),
            let header = try? JSONDecoder().decode(Header.self, from: bytes)
        else { throw .refused("the ID token is malformed") }
        guard header.crit == nil else { throw .refused("the ID token demands extensions") }
        guard let algorithm = SignatureAlgorithm(rawValue: header.alg) else {
            throw .refused("the ID token's algorithm is none that is accepted")
        }
        self.text = text
        self.keyID = header.kid
        self.algorithm = algorithm
    }

    /// The claims, once the signature is right and they are what is expected.
    func claims(by key: JSONWebKeys.Key, _ expected: Expectation) async throws -> IdentityClaims {
        let payload: Payload
        do {
            // One key, for one algorithm: what the header says cannot choose anything any more.
            let keys = try await JWTKeyCollection().add(jwk: key.jwk(for: algorithm))
            payload = try await keys.verify(text, as: Payload.self)
        } catch {
            // The library's words could hold what the token says.
            throw IdentityProviderFailure.refused("the ID token's signature is wrong, or it is malformed")
        }
        return try payload.checked(expected)
    }

    private static func decoded(_ text: Substring) -> Data? {
        let plain = String(text).replacing("-", with: "+").replacing("_", with: "/")
        return Data(base64Encoded: plain + String(repeating: "=", count: (4 - plain.utf8.count % 4) % 4))
    }
}

extension IDToken {
    /// `"a"` or `["a", "b"]`.
    struct Audience: Codable, Sendable {
        let values: [String]

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            values = try (try? [container.decode(String.self)]) ?? container.decode([String].self)
        }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.singleValueContainer()
            try container.encode(values)
        }
    }

    /// `true`, `"true"`, or anything else.
    struct Flag: Codable, Sendable {
        let verification: IdentityClaims.Verification

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let flag = try? container.decode(Bool.self) {
                verification = flag ? .verified : .unverified
            } else {
                verification = (try? container.decode(String.self)) == "true" ? .verifiedText : .unverified
            }
        }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.singleValueContainer()
            try container.encode(verification == .verified)
        }
    }

    /// What is signed. Times are seconds, which may have a fraction.
    struct Payload: JWTPayload {
        let iss: String
        let sub: String
        let aud: Audience
        let azp: String?
        let exp: Double
        let iat: Double
        let nbf: Double?
        let auth_time: Double?
        let nonce: String?
        let email: String?
        let email_verified: Flag?
        let name: String?

        /// The library calls this; ``checked(_:)`` knows what is expected.
        func verify(using algorithm: some JWTAlgorithm) async throws {}

        func checked(_ expected: Expectation) throws(IdentityProviderFailure) -> IdentityClaims {
            guard iss == expected.issuer else { throw .refused("the ID token is another issuer's") }
            guard aud.values.contains(expected.clientID) else { throw .refused("the ID token is for another client") }
            guard azp == nil ? aud.values.count == 1 : azp == expected.clientID else {
                throw .refused("the ID token was made for another client")
            }
            guard nonce == expected.nonce else { throw .refused("the ID token is of another sign-in") }
            let (now, skew) = (
                Double(expected.now.millisecondsSinceEpoch) / 1_000, Double(IDToken.skew.components.seconds)
            )
            guard exp > now - skew else { throw .refused("the ID token has expired") }
            guard iat < now + skew, (nbf ?? iat) < now + skew else { throw .refused("the ID token is from the future") }
            if let after = expected.authenticatedAfter {
                guard let auth_time, auth_time > Double(after.millisecondsSinceEpoch) / 1_000 - skew,
                    auth_time < now + skew
                else { throw .refused("the ID token does not say that proof was given again") }
            }
            guard (1...255).contains(sub.utf8.count),
                sub.unicodeScalars.allSatisfy({ $0.value > 31 && $0.value != 127 })
            else { throw .refused("the ID token's subject is malformed") }
            return IdentityClaims(
                identity: Identity(issuer: iss, subject: sub), email: email,
                verification: email_verified?.verification ?? .absent, name: name)
        }
    }
}
