import Testing

@testable import KeybearerServer

/// The ``ByteWriter``: what it writes, and that it notices what does not fit.
@Suite struct ByteWriterTests {
    private func written(
        room: Int, _ write: (inout ByteWriter) -> Void
    ) -> (text: String, isOverflown: Bool) {
        var bytes = [UInt8](repeating: 0, count: room)
        return bytes.withUnsafeMutableBytes { memory in
            var writer = ByteWriter(memory)
            write(&writer)
            return (String(decoding: memory.prefix(writer.count), as: UTF8.self), writer.isOverflown)
        }
    }

    @Test("Text, bytes and numbers follow each other")
    func values() {
        let fixed: StaticString = "Retry-After: "
        let all = written(room: 80) { writer in
            writer.text(fixed)
            writer.number(-40)
            writer.byte(UInt8(ascii: " "))
            writer.number(.min)
            writer.bytes([UInt8](" \u{E9} ".utf8))
            writer.hexadecimal(.max)
            writer.text(String("."))
        }
        #expect(all.text == "Retry-After: -40 -9223372036854775808 \u{E9} ffffffffffffffff.")
        #expect(!all.isOverflown)
    }

    @Test("The value of a header ends no header: what may not be in one is written as %XX")
    func fieldValues() {
        let value = written(room: 80) { $0.fieldValue("a b%\r\nX: \u{E9}\u{7F}~") }
        #expect(value.text == "a%20b%25%0D%0AX:%20%C3%A9%7F~" && !value.isOverflown)
    }

    @Test("What does not fit is left out whole, and noticed", arguments: 0..<9)
    func overflow(room: Int) {
        let text = written(room: room) { $0.text("Keybearer") }
        #expect(text.text.isEmpty && text.isOverflown)
        let value = written(room: room) { $0.fieldValue("\u{E9}\u{E9}") }
        #expect(value.isOverflown && value.text.utf8.count == room)
    }
}
