import TestSupport
import Testing

@testable import Keybearer

/// A ``Password``: which may be chosen (``CommonPasswords``), and how secrets print.
@Suite struct PasswordTests {
    let random = RandomSource.seeded(5)

    @Test(
        "What may be chosen",
        arguments: [
            ("short", false), ("password", false), ("Password123", false), ("aaaaaaaaaaaa", false), ("23456789", false),
            ("abababababab", false), ("wertyuiop", false),
            ("ada@example.com", false), ("Ada Lovelace", false), ("correct horse battery", true), ("ünïcödé!", true),
            (String(repeating: "xyz ", count: 64), true), (String(repeating: "x9", count: 600), false),
        ])
    func rules(text: String, isAccepted: Bool) {
        let problem = Password(text).problem(email: "ada@example.com", name: "Ada Lovelace")
        #expect((problem == nil) == isAccepted, "\(problem ?? "accepted")")
    }

    @Test("What is hashed of a password that is too long is bounded in bytes, however few characters it has")
    func cut() {
        let marks = Password("a" + String(repeating: "\u{301}", count: 100_000))
        #expect(marks.characters.count == 1 && !marks.isWithinLimit)
        // The last character may be cut in two, and is replaced then.
        #expect((1_024...1_026).contains(marks.cut.characters.utf8.count))
        #expect(Password(String(repeating: "x", count: 5_000)).cut.characters.utf8.count == 1_024)
        let longest = Password(String(repeating: "\u{E9}", count: 512))
        #expect(longest.isWithinLimit && longest.cut.characters == longest.characters)
    }

    @Test("Passwords and tokens print as their kind")
    func descriptions() throws {
        var text = "\(Password("hunter2hunter2"))"
        dump(Password("hunter2hunter2"), to: &text)
        let vault = KeyVault(ring: try MasterKeyRing.generate(from: random))
        let token = SessionToken.mint(from: vault, random: random).token
        dump(token, to: &text)
        text += "\(token)"
        #expect(!text.contains("hunter2"))
        #expect(!text.contains(token.characters))
    }
}
