import Foundation
import Keybearer
import Testing

@testable import KeybearerOutbound

/// ``JSONWebKeys``: which key a token is checked with.
@Suite struct JSONWebKeysTests {
    private let signer: TokenSigner

    init() throws {
        signer = try TokenSigner.shared.get()
    }

    @Test("A key is for its own algorithms alone, and for signatures")
    func fitting() throws {
        for algorithm in SignatureAlgorithm.allCases {
            let plain = try signer.keys([try signer.jwk(algorithm)])
            for other in SignatureAlgorithm.allCases {
                let isSameKind = other == algorithm || Set([other, algorithm]) == [.rs256, .ps256]
                #expect((plain.key(id: "one", for: other) != nil) == isSameKind)
            }
            for (extra, fits) in [
                (["alg": algorithm.rawValue, "use": "sig"], true), (["use": "enc"], false),
                (["alg": "RSA-OAEP"], false),
                (["alg": "none"], false), (["kty": "oct"], false),
            ] {
                let keys = try signer.keys([try signer.jwk(algorithm, extra: extra)])
                #expect((keys.key(id: "one", for: algorithm) != nil) == fits, "\(algorithm) \(extra)")
            }
        }
        let es384 = try signer.keys([try signer.jwk(.es256, extra: ["crv": "P-384"])])
        #expect(es384.key(id: "one", for: .es256) == nil)
    }

    @Test("A token names its key; one that names none has the only one that fits")
    func naming() throws {
        let both = try signer.keys([
            try signer.jwk(.es256), try signer.jwk(.es256, id: "two"), try signer.jwk(.edDSA, id: nil),
        ])
        #expect(both.key(id: "two", for: .es256)?.kid == "two")
        #expect(both.key(id: nil, for: .es256) == nil && both.key(id: "three", for: .es256) == nil)
        #expect(both.key(id: nil, for: .edDSA) != nil && both.key(id: "one", for: .edDSA) == nil)
    }

    @Test("Keys that are not understood are left out, and what is no set of keys is refused")
    func parsing() throws {
        let text =
            #"{"keys":[{"kty":"EC"},7,null,{"kty":["RSA"]},{"kty":"oct","k":"AA","alg":"HS256"},{"kty":"OKP","crv":"Ed25519"}]}"#
        #expect(try JSONWebKeys(parsing: Array(text.utf8)).keys.map(\.kty) == ["OKP"])
        for text in ["", "[]", "{}", #"{"keys":{}}"#, #"{"keys":"x"}"#] {
            #expect(throws: IdentityProviderFailure.self) { try JSONWebKeys(parsing: Array(text.utf8)) }
        }
    }
}
