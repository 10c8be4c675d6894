import TestSupport
import Testing

@testable import Keybearer

@Suite struct RecoveryCodeTests {
    @Test("A code is read as people type it")
    func typed() throws {
        let code = RecoveryCode.random(from: .seeded(5))
        #expect(code.text.wholeMatch(of: /[a-km-np-z2-9]{4}(-[a-km-np-z2-9]{4}){3}/) != nil)
        for text in [code.text, code.text.uppercased(), code.text.replacing("-", with: ""), " \(code.text) "] {
            #expect(RecoveryCode(parsing: text) == code, "\(text)")
        }
        for text in ["", String(code.text.dropLast()), code.text + "a", "123456", "abcd-efgh-jkmn-pqr1"] {
            #expect(RecoveryCode(parsing: text) == nil, "\(text)")
        }
    }

    @Test("Its digest is the account's own")
    func digest() {
        let code = RecoveryCode.random(from: .seeded(5))
        let (ada, eve) = (UserID(rawValue: "usr_ada"), UserID(rawValue: "usr_eve"))
        #expect(code.digest(of: ada) != code.digest(of: eve))
        #expect(code.digest(of: ada) != RecoveryCode.random(from: .seeded(6)).digest(of: ada))
    }

    @Test("It prints as nothing but its kind")
    func description() {
        let code = RecoveryCode.random(from: .seeded(5))
        var dumped = ""
        dump(code, to: &dumped)
        #expect("\(code)" == "recovery code" && dumped == "- recovery code\n")
    }
}

/// ``SealedSecret``
@Suite struct SealedSecretTests {
    @Test("It opens with what it is bound to alone, and under a ring that has its master key")
    func binding() throws {
        let ring = try MasterKeyRing.generate(from: .system)
        let vault = KeyVault(ring: ring)
        let sealed = try vault.seal([1, 2, 3], boundTo: "second factor usr_a tfa_a")
        #expect(try vault.open(sealed, boundTo: "second factor usr_a tfa_a") == [1, 2, 3])
        #expect(throws: KeybearerError.self) { try vault.open(sealed, boundTo: "second factor usr_a tfa_b") }
        var box = sealed.box
        box[box.count - 1] ^= 1
        let altered = SealedSecret(masterKeyID: sealed.masterKeyID, box: box)
        #expect(throws: KeybearerError.self) { try vault.open(altered, boundTo: "second factor usr_a tfa_a") }
        let other = KeyVault(ring: try MasterKeyRing.generate(from: .system))
        #expect(throws: KeybearerError.self) { try other.open(sealed, boundTo: "second factor usr_a tfa_a") }
        let verifying = KeyVault(ring: try vault.verifyOnlyRing())
        #expect(throws: KeybearerError.self) { try verifying.seal([1], boundTo: "a") }
        #expect(throws: KeybearerError.self) { try verifying.open(sealed, boundTo: "second factor usr_a tfa_a") }
    }
}
