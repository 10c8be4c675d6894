import Testing

@testable import KeybearerServer

/// ``FormText``: the text of forms and queries.
@Suite struct FormTextTests {
    @Test(
        "Pairs are parted by bytes: an accent behind a separator changes nothing",
        arguments: [
            ("a=b&\u{301}=c", ["a": "b", "\u{301}": "c"]), ("a=\u{301}b", ["a": "\u{301}b"]),
            ("a=+\u{301}", ["a": " \u{301}"]), ("a=%C3%A9&&b", ["a": "é", "b": ""]), ("", [:]),
        ])
    func pairs(text: String, expected: [String: String]) {
        #expect(FormText.parse(text[...]) == expected)
    }

    @Test(
        "A malformed escape and what is not UTF-8 are refused",
        arguments: ["a=%", "a=%4", "a=%zz", "a=%+1", "a=a%43%A9\u{FFFD}=\u{301}"])
    func malformed(text: String) {
        #expect(FormText.parse(text[...]) == nil)
    }
}
