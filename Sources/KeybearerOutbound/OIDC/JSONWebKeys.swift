import Foundation
import JWTKit
import Keybearer

/// The algorithms by which ID tokens may be signed: with a key pair alone. With `none` anyone signs, and with `HS256` the
/// secret of this client would, or a public key taken for one.
enum SignatureAlgorithm: String, Sendable, CaseIterable {
    case rs256 = "RS256"
    case ps256 = "PS256"
    case es256 = "ES256"
    case edDSA = "EdDSA"

    fileprivate var keyType: String {
        switch self {
        case .rs256, .ps256: "RSA"
        case .es256: "EC"
        case .edDSA: "OKP"
        }
    }

    fileprivate var curve: String? {
        switch self {
        case .rs256, .ps256: nil
        case .es256: "P-256"
        case .edDSA: "Ed25519"
        }
    }
}

/// A provider's public keys (RFC 7517), as far as they are for signatures that are accepted here.
struct JSONWebKeys: Sendable {
    /// One public key. Private members are not read.
    struct Key: Sendable, Decodable {
        let kty: String
        let kid: String?
        let alg: String?
        let use: String?
        let crv: String?
        let n: String?
        let e: String?
        let x: String?
        let y: String?

        /// Whether it is for signatures by this algorithm.
        fileprivate func fits(_ algorithm: SignatureAlgorithm) -> Bool {
            kty == algorithm.keyType && crv == algorithm.curve && (alg == nil || alg == algorithm.rawValue)
                && (use == nil || use == "sig")
        }

        /// The key for one algorithm alone, whatever a token says.
        func jwk(for algorithm: SignatureAlgorithm) -> JWK {
            let id = JWKIdentifier(string: kid ?? "key")
            return switch algorithm {
            case .rs256: JWK.rsa(.rs256, identifier: id, modulus: n, exponent: e)
            case .ps256: JWK.rsa(.ps256, identifier: id, modulus: n, exponent: e)
            case .es256: JWK.ecdsa(.es256, identifier: id, x: x, y: y, curve: .p256)
            case .edDSA: JWK.octetKeyPair(.eddsa, identifier: id, x: x, y: nil, curve: .ed25519)
            }
        }
    }

    /// A key of a kind that is not known here is left out; the others count.
    private struct Lenient: Decodable {
        let key: Key?

        init(from decoder: any Decoder) throws {
            key = try? Key(from: decoder)
        }
    }

    private struct Document: Decodable {
        let keys: [Lenient]
    }

    /// Those that are for an algorithm that is accepted.
    let keys: [Key]

    /// Reads the document.
    init(parsing body: [UInt8]) throws(IdentityProviderFailure) {
        guard let document = try? JSONDecoder().decode(Document.self, from: Data(body)) else {
            throw .unreachable("the keys: they are no JSON object with a list of keys")
        }
        keys = document.keys.compactMap(\.key).filter { key in SignatureAlgorithm.allCases.contains { key.fits($0) } }
    }

    /// The key that a token names; of a token that names none, the only one that fits.
    func key(id: String?, for algorithm: SignatureAlgorithm) -> Key? {
        let fitting = keys.filter { $0.fits(algorithm) }
        guard let id else { return fitting.count == 1 ? fitting[0] : nil }
        return fitting.first { $0.kid == id }
    }
}
