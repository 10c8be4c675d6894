import TestSupport
import Testing

@testable import Keybearer

/// ``ImportedToken``, of a ``Token68``: what may be imported, and how a request presents it.
@Suite struct ImportedTokenTests {
    private let random = RandomSource.seeded(41)
    private let vault: KeyVault
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/".utf8)

    init() throws {
        vault = KeyVault(ring: try .generate(from: RandomSource.seeded(40)))
    }

    private func token(_ count: Int) -> String {
        String(decoding: (0..<count).map { _ in Self.alphabet[random.below(Self.alphabet.count)] }, as: UTF8.self)
    }

    private func imported(_ text: String, prefix: KeyPrefix = .standard) throws -> ImportedToken {
        try ImportedToken(importing: text, keyPrefix: prefix, vault: vault)
    }

    private func expectRefusal(_ text: String, prefix: KeyPrefix = .standard, _ why: Comment) {
        let error = #expect(throws: KeybearerError.self, why) { try imported(text, prefix: prefix) }
        #expect(error?.code == .validationFailed && error?.fields.keys.sorted() == ["key"], why)
        let said = "\(error?.message ?? "") \(error?.fields["key"] ?? "")"
        #expect(text.utf8.count < 19 || !said.contains(text), "the refusal repeats the token")
    }

    @Test("Every length from 20 to 128 is taken, with padding too, and shows a quarter and eight characters at most")
    func lengths() throws {
        for count in 20...128 {
            for text in [token(count), token(count - 2) + "=="] where Set(text).count >= 10 {
                let key = SecretKey(try imported(text))
                #expect(key.isImported && key.characters == text)
                #expect(text.hasPrefix(key.shownPrefix) && key.shownPrefix.count == min(8, count / 4))
                #expect("\(key)" == key.shownPrefix + "…" && !"\(key)".contains(text))
                let presented = Array(text.utf8).withUnsafeBufferPointer(PresentedToken.init)
                #expect(presented == key.token && presented?.mayBeImported == true)
                #expect(presented?.count == count)
                #expect(vault.tagKey(of: key) == nil && !vault.isGenuine(key))
            }
        }
        for count in [0, 1, 19, 129, 4_000] { expectRefusal(token(count), "\(count) characters") }
    }

    @Test("What is no token68, or can be guessed, is refused")
    func characters() {
        for wrong in [" ", "\t", "é", "\"", ",", "=A", "\u{0}", "\n", ":", "%", "\\", "(", "@"] {
            expectRefusal(token(24) + wrong + token(4), "with \(wrong.debugDescription)")
        }
        for wrong in ["=", "====================", "==a========================"] { expectRefusal(wrong, "\(wrong)") }
        expectRefusal("abababababababababababababab", "two characters")
        expectRefusal("aaaaaaaaaaaaabcdefghi", "nine characters")
        #expect(throws: Never.self) { try imported("aaaaaaaaaaaaabcdefghij") }
    }

    @Test("No key or token of our own is imported")
    func ours() throws {
        let acme = try #require(KeyPrefix("acme_"))
        for prefix in [.standard, acme] {
            let key = try vault.issue(prefix: prefix, random: random)
            expectRefusal(key.characters, "a key of ours")
            let stranger = KeyVault(ring: try .generate(from: random))
            expectRefusal(try stranger.issue(prefix: prefix, random: random).characters, "another installation's key")
        }
        let mistyped = String(decoding: random.base62(count: 38), as: UTF8.self)
        expectRefusal("tdc_" + mistyped, "the shape of a key")
        expectRefusal("acme_" + mistyped, prefix: acme, "the shape of a key")
        #expect(throws: Never.self) { try imported("acme_" + mistyped) }
        for kind in TokenKind.allCases {
            expectRefusal(vault.mint(kind, random: random).characters, "a token of ours")
            if !kind.prefix.isEmpty { expectRefusal(kind.prefix + token(30), "the prefix of one") }
        }
    }

    @Test("A long token is known by all of its bytes")
    func longTokens() throws {
        let seed = PresentedToken.HashSeed(from: .seeded(5))
        for count in [20, 54, 55, 56, 64, 127, 128] {
            let bytes = Array(token(count).utf8)
            let whole = try #require(bytes.withUnsafeBufferPointer(PresentedToken.init))
            #expect(whole.isWhole == (count <= 54))
            var digests: Set<[UInt8]> = Set(vault.digests(of: whole))
            for place in bytes.indices {
                var other = bytes
                other[place] = other[place] == 65 ? 66 : 65
                let token = try #require(other.withUnsafeBufferPointer(PresentedToken.init))
                #expect(token != whole && token.hash(keyed: seed) != whole.hash(keyed: seed), "place \(place)")
                digests.formUnion(vault.digests(of: token))
            }
            #expect(digests.count == count + 1)
            let shorter = bytes.dropLast().withUnsafeBufferPointer(PresentedToken.init)
            #expect(shorter != whole)
        }
        // A long token is not what stands for another one.
        let long = try #require(Array(token(100).utf8).withUnsafeBufferPointer(PresentedToken.init))
        let standIn = long.withBytes { Array($0) }
        #expect(standIn.count == 56)
        let itself = try #require(standIn.withUnsafeBufferPointer(PresentedToken.init))
        #expect(itself != long && Set(vault.digests(of: itself)).isDisjoint(with: vault.digests(of: long)))
    }

    @Test("A sealed key opens as it was, and its prefix is that of its digest")
    func sealed() throws {
        for count in [20, 40, 54, 55, 128] {
            let key = SecretKey(try imported(token(count)))
            let (user, id) = (UserID.random(from: random), KeyID.random(from: random))
            let sealed = try vault.seal(key, userID: user, keyID: id, version: 1)
            #expect(try vault.open(sealed, userID: user, keyID: id, version: 1) == key)
            #expect(vault.digests(of: key) == [sealed.digest])
            #expect(vault.namedDigests(of: key.token).map(\.digest) == [sealed.digest])
            #expect(vault.digestPrefixes(of: key.token) == [DigestPrefix(sealed.digest)])
        }
    }

    @Test("What may have been imported is told from its characters alone")
    func possible() throws {
        func mayBe(_ text: String) throws -> Bool {
            try #require(Array(text.utf8).withUnsafeBufferPointer(PresentedToken.init)).mayBeImported
        }
        let body = String(decoding: random.base62(count: 38), as: UTF8.self)
        #expect(try mayBe("acme_" + body) && mayBe(body) && mayBe("tdc_" + body.dropLast()))
        #expect(try !mayBe("tdc_" + body), "a key with a typing error")
        for kind in TokenKind.allCases where !kind.prefix.isEmpty {
            #expect(try !mayBe(vault.mint(kind, random: random).characters) && !mayBe(kind.prefix + body))
        }
        #expect(try !mayBe("a b c d e f g h i j k l") && !mayBe(String(repeating: "a", count: 30)))
    }
}
