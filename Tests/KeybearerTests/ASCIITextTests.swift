import Testing

@testable import Keybearer

/// ``ASCIIText``: numbers in decimal, and what has no room is cut off.
@Suite struct ASCIITextTests {
    @Test(
        "Numbers are written in decimal, with leading zeros where digits are asked for",
        arguments: [
            (0, 1, "0"), (7, 3, "007"), (1_234, 2, "1234"), (-5, 2, "-05"), (Int64.max, 1, "9223372036854775807"),
            (Int64.min, 1, "-9223372036854775808"),
        ])
    func numbers(value: Int64, digits: Int, written: String) {
        #expect(ASCIIText.make(capacity: 24) { $0.number(value, digits: digits) } == written)
    }

    @Test("What does not fit is cut off")
    func capacity() {
        #expect(ASCIIText.make(capacity: 3) { $0.text("Keybearer") } == "Key")
        let text = ASCIIText.make(capacity: 4) { text in
            text.text("a=")
            text.byte(UInt8(ascii: "b"))
            text.text(";c")
        }
        #expect(text == "a=b;")
    }

    @Test("Letters and digits of ASCII, and no other byte")
    func lettersAndDigits() {
        let expected = Set("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)
        for byte in UInt8.min...UInt8.max { #expect(byte.isASCIILetterOrDigit == expected.contains(byte)) }
    }
}
