import Testing

@testable import Keybearer

/// ``NameRules``: one form of a name, and what it must not contain.
@Suite struct NameRulesTests {
    @Test(
        "Names are trimmed and in NFC; joiners stand between what they join",
        arguments: [
            (" Ada Lovelace\n", "Ada Lovelace"), ("E\u{301}va", "\u{C9}va"),
            ("O\u{2019}Brien, Jr.", "O\u{2019}Brien, Jr."),
            ("\u{1F468}\u{200D}\u{1F4BB}", "\u{1F468}\u{200D}\u{1F4BB}"),
            ("\u{2764}\u{FE0F}\u{200D}\u{1F525}", "\u{2764}\u{FE0F}\u{200D}\u{1F525}"),
            ("\u{645}\u{6CC}\u{200C}\u{62E}", "\u{645}\u{6CC}\u{200C}\u{62E}"),
            ("\u{915}\u{94D}\u{200D}\u{937}", "\u{915}\u{94D}\u{200D}\u{937}"),
            (String(repeating: "n", count: 200), String(repeating: "n", count: 200)),
        ])
    func names(text: String, form: String) {
        let name = NameRules.normalised(text)
        #expect(name.utf8.elementsEqual(form.utf8))
        #expect(NameRules.problem(with: name) == nil)
    }

    @Test(
        "Names without invisible characters",
        arguments: [
            ("", "Enter a name."), (" \u{3000} ", "Enter a name."), ("a\u{1B}[2J", "U+001B"), ("a\nb", "U+000A"),
            ("Ada\u{202E}", "U+202E"), ("a\u{200B}b", "U+200B"), ("a\u{200D}b", "U+200D"), ("\u{200C}a", "U+200C"),
            ("\u{1F468}\u{200D}", "U+200D"), ("a\u{FE0F}", "U+FE0F"), ("a\u{2029}b", "U+2029"), ("a\u{FEFF}", "U+FEFF"),
            ("\u{E0001}", "U+E0001"),
            (String(repeating: "n", count: 201), "Use at most 200 characters and 1,000 bytes."),
            ("a" + String(repeating: "\u{301}", count: 600), "Use at most 200 characters and 1,000 bytes."),
            ("\u{3164}", "The name contains the invisible character U+3164. Remove it."),
        ])
    func refusedNames(text: String, named: String) {
        let problem = NameRules.problem(with: NameRules.normalised(text))
        #expect(problem?.contains(named) == true, "\(problem ?? "accepted")")
    }
}
