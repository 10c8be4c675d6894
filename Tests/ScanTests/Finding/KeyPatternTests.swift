import Keybearer
@testable import KeybearerScan
import Testing

/// What is a key, and what is none. ``KeyMatch`` says it without the secret.
@Suite struct KeyPatternTests {
    private func matches(_ text: String, prefixes: [String] = ["tdc_"]) -> [KeyMatch] {
        KeyPattern(prefixes: prefixes.compactMap { KeyPrefix($0) }).matches(in: Array(text.utf8))
    }

    private func found(_ text: String, prefixes: [String] = ["tdc_"]) -> [String] {
        matches(text, prefixes: prefixes).map { "\($0.kind.rawValue) \(String(decoding: $0.token, as: UTF8.self))" }
    }

    @Test(
        arguments: ["", "x", " ", "\"", "key=", "https://a/?k=", "_", "my_", "%22", "\\n", "9"],
        ["", " ", "\"", "x", "_", "0AZ", "\n"])
    func aKeyWithItsChecksumIsFoundWhateverIsAroundIt(_ before: String, _ behind: String) {
        let key = SampleKey.documented
        #expect(found(before + key + behind) == ["secret-key \(key)"])
    }

    @Test func everyCharacterOfTheBodyCounts() {
        for place in 4..<42 {
            var key = Array(SampleKey.documented)
            key[place] = key[place] == "a" ? "b" : "a"
            #expect(found(String(key)).isEmpty, "\(place)")
        }
        #expect(found(String(SampleKey.documented.dropLast())) == ["possible-key \(SampleKey.documented.dropLast())"])
    }

    @Test func keysOfAnyPrefixAreFound() {
        let other = SampleKey.make(1, prefix: "acme_live_")
        #expect(found(" \(other) ") == ["secret-key \(other)"])
        let longest = SampleKey.make(2, prefix: "a123456789_bcde_")
        #expect(found("(\(longest))") == ["secret-key \(longest)"])
        // The prefix of the settings is known even where the text before it could belong to it.
        let own = SampleKey.make(3, prefix: "acme_")
        #expect(found("x_\(own)", prefixes: ["acme_"]) == ["secret-key \(own)"])
        #expect(found(SampleKey.make(4, prefix: "")).isEmpty)
    }

    @Test func whatHasNoChecksumIsPossible() {
        let old = "tdc_live4f9Kq02LmZx81PbT"
        #expect(found("key: \(old);") == ["possible-key \(old)"])
        #expect(found("x\(old)").isEmpty && found("\(old)_x").isEmpty && found("\(old)-x").isEmpty)
        #expect(found("acme_live4f9Kq02LmZx81PbT").isEmpty)
        #expect(found("acme_live4f9Kq02LmZx81PbT", prefixes: ["acme_"]).count == 1)
        // Too short, too long, a word, and too few characters.
        #expect(found("tdc_live4f9Kq02LmZx").isEmpty)
        #expect(found("tdc_" + String(repeating: "aB3dE5gH7j", count: 13)).isEmpty)
        #expect(found("tdc_abcdefghijklmnopqrstuvw").isEmpty)
        #expect(found("tdc_a1a1a1a1a1a1a1a1a1a1").isEmpty)
    }

    @Test(arguments: [53, 43]) func operatorTokensArePossible(_ length: Int) {
        let token = "kbo_" + String(String(repeating: "aB3dE5gH7jK9mN", count: 4).prefix(length))
        #expect(found("token \(token)") == ["operator-token \(token)"])
        #expect(found("token \(token)x").isEmpty)
    }

    @Test func severalKeysAreFoundInTheirOrder() {
        let keys = (0..<5).map { SampleKey.make($0) }
        #expect(found(keys.joined(separator: ",")) == keys.map { "secret-key \($0)" })
        #expect(found(keys.joined()) == keys.map { "secret-key \($0)" })
    }

    @Test func aMatchDoesNotSayTheSecret() {
        let match = matches(SampleKey.documented)[0]
        #expect(match.shown == "tdc_mhSV")
        var dumped = ""
        dump(match, to: &dumped)
        for text in ["\(match)", String(reflecting: match), dumped] { #expect(!text.contains("82nDJu")) }
    }
}
