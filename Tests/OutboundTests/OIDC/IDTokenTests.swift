import Crypto
import Foundation
import Keybearer
import TestSupport
import Testing

@testable import KeybearerOutbound

/// An ``IDToken``: every claim and every header that must be refused is.
@Suite struct IDTokenTests {
    private let signer: TokenSigner
    private static let issuer = "https://login.example"
    private static let now = Samples.start
    private static let seconds = now.millisecondsSinceEpoch / 1_000

    init() throws {
        signer = try TokenSigner.shared.get()
    }

    private static let good: [String: any Sendable] = [
        "iss": issuer, "sub": "ada", "aud": "keybearer", "exp": seconds + 300, "iat": seconds, "nonce": "n",
        "email": "ada@example.com", "email_verified": true, "name": "Ada",
    ]

    private func claims(
        _ changes: [String: (any Sendable)?] = [:], _ algorithm: SignatureAlgorithm = .es256,
        header: [String: any Sendable] = [:], after: Timestamp? = nil
    ) async throws -> IdentityClaims {
        var members = Self.good
        for (name, value) in changes { members[name] = value }
        return try await check(try signer.token(algorithm, header: header, claims: members), algorithm, after: after)
    }

    private func check(
        _ text: String, _ algorithm: SignatureAlgorithm = .es256, after: Timestamp? = nil
    ) async throws -> IdentityClaims {
        let token = try IDToken(parsing: text)
        let keys = try signer.keys([try signer.jwk(algorithm)])
        guard let key = keys.key(id: token.keyID, for: token.algorithm) else {
            throw IdentityProviderFailure.refused("no such key")
        }
        return try await token.claims(
            by: key,
            IDToken.Expectation(
                issuer: Self.issuer, clientID: "keybearer", nonce: "n", authenticatedAfter: after, now: Self.now))
    }

    private func refusal(_ body: () async throws -> IdentityClaims) async -> String {
        do {
            _ = try await body()
            return ""
        } catch {
            return "\(error)"
        }
    }

    @Test("A token by each algorithm that is accepted says who it is", arguments: SignatureAlgorithm.allCases)
    func accepted(_ algorithm: SignatureAlgorithm) async throws {
        let found = try await claims([:], algorithm)
        #expect(found.identity == Identity(issuer: Self.issuer, subject: "ada"))
        #expect(found.email == "ada@example.com" && found.verification == .verified && found.name == "Ada")
    }

    @Test("Claims that are wrong, missing or of another type are refused")
    func refused() async throws {
        let changes: [[String: (any Sendable)?]] = [
            ["iss": "https://login.example/"], ["iss": "https://evil.example"], ["iss": nil], ["sub": nil], ["sub": ""],
            ["sub": String(repeating: "a", count: 256)], ["sub": "a\u{0}"], ["sub": 7], ["aud": "another"],
            ["aud": ["another"]], ["aud": [String]()], ["aud": nil], ["aud": ["keybearer", "another"]],
            ["aud": ["keybearer", "another"], "azp": "another"], ["azp": "another"], ["nonce": nil], ["nonce": "other"],
            ["nonce": ""], ["exp": Self.seconds - 120], ["exp": nil], ["exp": "tomorrow"], ["iat": Self.seconds + 120],
            ["iat": nil], ["nbf": Self.seconds + 120], ["exp": -1], ["email": 7],
        ]
        for change in changes {
            #expect(await !refusal { try await claims(change) }.isEmpty, "\(change)")
        }
    }

    @Test(
        "Two minutes of difference between the clocks are allowed, and several audiences with this one as their party")
    func skew() async throws {
        let changes: [[String: (any Sendable)?]] = [
            ["exp": Self.seconds - 119], ["iat": Self.seconds + 119], ["nbf": Self.seconds + 119], ["azp": "keybearer"],
            ["aud": ["keybearer"]], ["aud": ["another", "keybearer"], "azp": "keybearer"],
            ["exp": Double(Self.seconds) + 0.5], ["sub": String(repeating: "a", count: 255)],
        ]
        for change in changes { _ = try await claims(change) }
    }

    @Test("What is said of the address is kept apart: true, \"true\", anything else, nothing")
    func verification() async throws {
        let cases: [((any Sendable)?, IdentityClaims.Verification)] = [
            (true, .verified), (false, .unverified), ("true", .verifiedText), ("True", .unverified), ("1", .unverified),
            ("false", .unverified), (1, .unverified), (["true"], .unverified), (nil, .absent),
        ]
        for (value, expected) in cases {
            #expect(try await claims(["email_verified": value]).verification == expected, "\(value ?? "nothing")")
        }
    }

    @Test("Proof that was wanted again must be named, and be no older than the request")
    func authenticationTime() async throws {
        let after = Self.now.advanced(by: .seconds(-60))
        for change in [["auth_time": nil], ["auth_time": Self.seconds - 180], ["auth_time": Self.seconds + 120]] {
            #expect(await !refusal { try await claims(change, after: after) }.isEmpty)
        }
        for time in [Self.seconds - 179, Self.seconds, Self.seconds + 119] {
            _ = try await claims(["auth_time": time], after: after)
        }
    }

    @Test("Without a signature of the provider's own key nothing is believed")
    func signatures() async throws {
        let good = try signer.token(.es256, claims: Self.good)
        let parts = good.split(separator: ".").map(String.init)
        let none = try TokenSigner.part(["alg": "none", "kid": "one"])
        // The public key, which anyone knows, taken for a secret.
        let symmetric = SymmetricKey(data: signer.p256.publicKey.rawRepresentation)
        let hmacInput = try TokenSigner.part(["alg": "HS256", "kid": "one"]) + "." + parts[1]
        let hmac = encode(Data(HMAC<SHA256>.authenticationCode(for: Data(hmacInput.utf8), using: symmetric)))
        let other = TokenSigner(rsa: signer.rsa)
        let changed = try TokenSigner.part(Self.good.merging(["sub": "eve"]) { $1 })
        let texts = [
            none + "." + parts[1] + ".", none + "." + parts[1] + "." + parts[2],
            try TokenSigner.part(["alg": "None", "kid": "one"]) + "." + parts[1] + ".", hmacInput + "." + hmac,
            try other.token(.es256, claims: Self.good), parts[0] + "." + changed + "." + parts[2],
            parts[0] + "." + parts[1] + ".", parts[0] + "." + parts[1], good + ".x", "", "..", "a.b.c",
            // Signed by one algorithm, and named as another.
            try TokenSigner.part(["alg": "RS256", "kid": "one"]) + "." + parts[1] + "." + parts[2],
            try signer.token(.es256, header: ["crit": ["exp"]], claims: Self.good),
            try signer.token(.es256, header: ["kid": "two"], claims: Self.good),
            try signer.token(.es256, header: ["kid": 1], claims: Self.good),
            try signer.token(.es256, header: ["alg": "ES384"], claims: Self.good),
        ]
        for text in texts {
            let said = await refusal { try await check(text) }
            #expect(!said.isEmpty, "\(text.prefix(80))")
            #expect(!said.contains("ada"), "a failure holds nothing of the token")
        }
        // Keys that a token brings along are not looked at.
        let own = try other.jwk(.es256)
        let brought = try other.token(
            .es256, header: ["jwk": own, "jku": "https://evil.example/keys"], claims: Self.good)
        #expect(await !refusal { try await check(brought) }.isEmpty)
    }
}
