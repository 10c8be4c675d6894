import Crypto
import CryptoExtras
import Foundation
import JWTKit

@testable import KeybearerOutbound

/// A provider's keys, made for the tests: one of each kind that is accepted.
struct TokenSigner: Sendable {
    let rsa: _RSA.Signing.PrivateKey
    let p256 = P256.Signing.PrivateKey()
    let ed25519 = Curve25519.Signing.PrivateKey()

    /// One for all tests: an RSA key takes a while.
    static let shared = Result { try TokenSigner(rsa: _RSA.Signing.PrivateKey(keySize: .bits2048)) }

    /// The public key as the provider's document has it.
    func jwk(_ algorithm: SignatureAlgorithm, id: String? = "one", extra: [String: String] = [:]) throws -> [String:
        String]
    {
        var members: [String: String] = extra
        if let id { members["kid"] = id }
        switch algorithm {
        case .rs256, .ps256:
            let primitives = try rsa.publicKey.getKeyPrimitives()
            members.merge(
                ["kty": "RSA", "n": encode(primitives.modulus), "e": encode(primitives.publicExponent)]
            ) { own, _ in own }
        case .es256:
            let bytes = p256.publicKey.rawRepresentation
            members.merge(
                ["kty": "EC", "crv": "P-256", "x": encode(bytes.prefix(32)), "y": encode(bytes.suffix(32))]
            ) { own, _ in own }
        case .edDSA:
            members.merge(
                ["kty": "OKP", "crv": "Ed25519", "x": encode(ed25519.publicKey.rawRepresentation)]
            ) { own, _ in own }
        }
        return members
    }

    /// The provider's document.
    func keys(_ jwks: [[String: String]]) throws -> JSONWebKeys {
        try JSONWebKeys(parsing: [UInt8](try JSONSerialization.data(withJSONObject: ["keys": jwks])))
    }

    /// A token with any header and any claims, signed.
    func token(
        _ algorithm: SignatureAlgorithm, header: [String: any Sendable] = [:], claims: [String: any Sendable]
    ) throws -> String {
        let whole: [String: any Sendable] = ["alg": algorithm.rawValue, "kid": "one"].merging(header) { $1 }
        let input = try Self.part(whole) + "." + Self.part(claims)
        let bytes = Data(input.utf8)
        let signature =
            switch algorithm {
            case .rs256: try rsa.signature(for: SHA256.hash(data: bytes), padding: .insecurePKCS1v1_5).rawRepresentation
            case .ps256: try rsa.signature(for: SHA256.hash(data: bytes), padding: .PSS).rawRepresentation
            case .es256: try p256.signature(for: bytes).rawRepresentation
            case .edDSA: try ed25519.signature(for: bytes)
            }
        return input + "." + encode(signature)
    }

    /// A JSON object as a part of a token.
    static func part(_ members: [String: any Sendable]) throws -> String {
        encode(try JSONSerialization.data(withJSONObject: members))
    }
}

/// Base64 for URLs, without padding.
func encode(_ data: some DataProtocol) -> String {
    Data(data).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
}
