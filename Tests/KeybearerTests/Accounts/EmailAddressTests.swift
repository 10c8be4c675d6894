import Foundation
import Testing

@testable import Keybearer

/// An ``EmailAddress`` has one spelling, and says what is wrong with another.
@Suite struct EmailAddressTests {
    /// What is typed, and what it is.
    private static let forms = [
        ("ada@example.com", "ada@example.com"), ("  Ada@Example.COM\r\n", "ada@example.com"),
        ("a.b+c_d-e!#$%&'*/=?^`{|}~@b", "a.b+c_d-e!#$%&'*/=?^`{|}~@b"),
        ("e\u{301}va@example.com", "\u{E9}va@example.com"), ("\u{C9}VA@example.com", "\u{E9}va@example.com"),
        ("E\u{301}va@example.com", "\u{E9}va@example.com"), ("a\u{30A}@b.c", "\u{E5}@b.c"),
        ("\u{212B}@b.c", "\u{E5}@b.c"),
        ("\u{43F}\u{43E}\u{447}\u{442}\u{430}@b.c", "\u{43F}\u{43E}\u{447}\u{442}\u{430}@b.c"),
        ("\u{928}\u{92E}\u{938}\u{94D}\u{924}\u{947}@b.c", "\u{928}\u{92E}\u{938}\u{94D}\u{924}\u{947}@b.c"),
        ("\u{7528}\u{6237}1@b.c", "\u{7528}\u{6237}1@b.c"), ("ada@XN--BCHER-KVA.example", "ada@xn--bcher-kva.example"),
    ]

    @Test("One form of each", arguments: forms)
    func formOf(text: String, form: String) throws {
        let address = try EmailAddress(parsing: text)
        #expect(address.rawValue.utf8.elementsEqual(form.utf8), "\(address)")
        #expect(try EmailAddress(parsing: address.rawValue).rawValue.utf8.elementsEqual(form.utf8))
    }

    @Test(
        "Characters that nobody sees, and other spellings of plain ones, are refused by name",
        arguments: [
            ("k\u{212A}@b.c", "U+212A"), ("ada\u{200B}@b.c", "U+200B"), ("ad\u{AD}a@b.c", "U+00AD"),
            ("ada@b\u{202E}.c", "U+202E"), ("ada@b\u{3002}c", "U+3002"), ("ada@b\u{FF0E}c", "U+FF0E"),
            ("ada@b\u{FF61}c", "U+FF61"), ("\u{FF41}da@b.c", "U+FF41"), ("\u{FB01}@b.c", "U+FB01"),
            ("a\u{0}@b.c", "U+0000"), ("a\u{1B}[2J@b.c", "U+001B"), ("a\u{7F}@b.c", "U+007F"),
            ("a\u{85}b@b.c", "U+0085"),
            ("a\u{2028}b@b.c", "U+2028"), ("a\u{2066}@b.c", "U+2066"), ("a\u{E000}@b.c", "U+E000"),
            ("a\u{378}@b.c", "U+0378"), ("a\u{3164}@b.c", "U+3164"), ("a\u{FE0F}@b.c", "U+FE0F"),
            ("a\u{34F}@b.c", "U+034F"), ("a\u{E0061}@b.c", "U+E0061"), ("a\u{200D}b@b.c", "U+200D"),
            ("i\u{307}lk@b.c", "U+0307"), ("\u{130}lk@b.c", "U+0307"), ("\u{1F600}@b.c", "U+1F600"),
            ("\u{37E}@b.c", "U+037E"), ("\u{1FEF}@b.c", "U+1FEF"), ("\u{301}a@b.c", "U+0301"),
            ("a.\u{301}a@b.c", "U+0301"), ("a\u{A0}b@b.c", "U+00A0"), ("ada@b\u{FC}cher.example", "U+00FC"),
            ("ada@xn--b\u{301}.c", "U+0301"), ("a\u{2800}@b.c", "U+2800"), ("a@\u{212A}.c", "U+212A"),
        ])
    func refused(text: String, named: String) {
        let problem = #expect(throws: EmailAddress.Problem.self) { try EmailAddress(parsing: text) }
        #expect(problem?.message.contains(named) == true, "\(problem?.message ?? "none")")
        #expect(problem?.message.unicodeScalars.allSatisfy(\.isASCII) == true)
    }

    @Test(
        "The message says what to do",
        arguments: [
            ("ada\u{200B}@b.c", "The address contains the invisible character U+200B. Remove it."),
            ("ad a@b.c", "The address contains U+0020, which is not allowed there. Remove it."),
        ])
    func messages(text: String, message: String) {
        let problem = #expect(throws: EmailAddress.Problem.self) { try EmailAddress(parsing: text) }
        #expect(problem?.message == message)
    }

    @Test("The message says how a domain with such letters is written")
    func internationalDomain() {
        let problem = #expect(throws: EmailAddress.Problem.self) {
            try EmailAddress(parsing: "ada@b\u{FC}cher.example")
        }
        #expect(problem?.message == "The domain contains U+00FC. Write a domain with such letters in its xn-- form.")
    }

    @Test(
        "What plainly is none is refused",
        arguments: [
            "", "ada", "@x", "a@", "a@b@c", "a b@c.d", "a@.c", "a@c..d", "a@c.", ".a@b.c", "a.@b.c", "a..b@c.d",
            "<a@b.c>", "a@-b.c", "a@b-.c", "a@[127.0.0.1]", "a@b_c.d", "\"a\"@b.c", "a,b@c.d", "a@b:25",
            String(repeating: "a", count: 65) + "@b.c", String(repeating: "\u{E9}", count: 33) + "@b.c",
            "a@" + String(repeating: "b", count: 64) + ".c", "a@" + String(repeating: "b.", count: 127) + "c",
            String(repeating: "a", count: 20_000) + "@b.c",
        ])
    func malformed(text: String) {
        #expect(EmailAddress(text) == nil)
    }

    @Test("Whatever letter is accepted, its form is accepted as itself, and so is every spelling of it")
    func everyLetter() {
        var forms: [[UInt8]: UInt32] = [:]
        // All but the long rows of Han and Hangul, where one is like the next.
        let rows: [ClosedRange<UInt32>] = [
            0x80...0x33FF, 0xA000...0xAC1F, 0xD7A0...0xFFFF, 0x10000...0x16FFF, 0x1AFF0...0x1FFFF,
        ]
        for value in rows.joined() {
            guard let scalar = Unicode.Scalar(value), let address = EmailAddress("a\(scalar)@b.c") else { continue }
            let bytes = Array(address.rawValue.utf8)
            let forced = address.rawValue.unicodeScalars
            for spelling in [
                address.rawValue, address.rawValue.decomposedStringWithCanonicalMapping, "A\(scalar)@B.C",
                "a\(scalar)@b.c".decomposedStringWithCanonicalMapping,
            ] where EmailAddress(spelling)?.rawValue.utf8.elementsEqual(bytes) != true {
                Issue.record("U+\(String(value, radix: 16)) has two forms")
            }
            if forced.contains(where: \.isUnseen) || bytes.starts(with: "a@".utf8) || bytes == Array("ab@b.c".utf8) {
                Issue.record("U+\(String(value, radix: 16)) disappears")
            }
            forms[bytes] = value
        }
        #expect(forms.count > 10_000)
        // None is another spelling of an address that is ASCII.
        #expect(forms.keys.allSatisfy { $0.contains { $0 > 127 } })
    }

    @Test("Accounts of earlier versions are found by the form of today and by the forms of then")
    func spellings() {
        func spellings(_ text: String) -> [[Unicode.Scalar]] {
            EmailAddress.spellings(of: text).map { Array($0.rawValue.unicodeScalars) }
        }
        #expect(spellings(" Ada@Example.com ") == [Array("ada@example.com".unicodeScalars)])
        #expect(spellings("\u{C9}va@b.c").contains(Array("e\u{301}va@b.c".unicodeScalars)))
        #expect(
            spellings("E\u{301}va@b.c") == [
                Array("e\u{301}va@b.c".unicodeScalars), Array("\u{E9}va@b.c".unicodeScalars),
            ])
        #expect(spellings("ada\u{200B}@b.c") == [Array("ada\u{200B}@b.c".unicodeScalars)])
        for text in ["ada@b\u{FC}cher.example", "ada@bu\u{308}cher.example", "ada@xn--bcher-kva.example"] {
            for old in ["ada@b\u{FC}cher.example", "ada@bu\u{308}cher.example"] {
                #expect(spellings(text).contains(Array(old.unicodeScalars)), "\(text)")
            }
        }
        #expect(spellings("no address").isEmpty)
    }

    @Test(
        "Twins of earlier versions have one form",
        arguments: [
            ["ada@b\u{FC}cher.example", "ada@bu\u{308}cher.example", "ada@xn--bcher-kva.example"],
            ["ada@b.c", "ada\u{200B}@b.c", "a\u{AD}da@b.c", "ada@b\u{3002}c", "ada@b\u{FF0E}c", "ada@b.c\u{202E}"],
            ["\u{E9}va@b.c", "e\u{301}va@b.c"],
        ])
    func twins(addresses: [String]) {
        #expect(Set(addresses.map { Array(EmailAddress(normalised: $0).twinForm.utf8) }).count == 1)
    }

    @Test("Addresses that are throttled together know of each other, and plain ones need no look")
    func otherSpellings() {
        func others(_ address: String) -> [[UInt8]] {
            EmailAddress(normalised: address).otherSpellings.map { Array($0.rawValue.utf8) }
        }
        let same = [
            "ada@b\u{FC}cher.example", "ada@bu\u{308}cher.example", "ada@xn--bcher-kva.example",
            "ada@" + Punycode.encoded("bu\u{308}cher.example"),
        ]
        for one in same {
            #expect(EmailAddress(normalised: one).throttlingForm == EmailAddress(normalised: same[0]))
            for other in same where !other.utf8.elementsEqual(one.utf8) {
                #expect(others(one).contains(Array(other.utf8)), "\(one) and \(other)")
            }
            #expect(!others(one).contains(Array(one.utf8)))
        }
        #expect(others("\u{E9}va@b.c") == [Array("e\u{301}va@b.c".utf8)])
        for plain in ["ada@example.com", "a_b@c_d.example", "ada@xn--999999999.example"] {
            #expect(others(plain).isEmpty, "\(plain)")
        }
    }

    @Test("E-mail addresses are normalised; what plainly is none is refused")
    func emails() {
        #expect(EmailAddress("  Ada@Example.COM ")?.rawValue == "ada@example.com")
        for text in [
            "", "ada", "@x", "a@", "a@b@c", "a b@c.d", "a@.c", "a@c..d", "a\u{0}@c.d", "<a@b.c>",
            String(repeating: "a", count: 65) + "@b.c",
        ] {
            #expect(EmailAddress(text) == nil, "\(text)")
        }
    }
}
