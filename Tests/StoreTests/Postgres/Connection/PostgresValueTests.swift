import KeybearerSQL
import Testing

@testable import KeybearerPostgres

/// A ``PostgresValue`` in the form that PostgreSQL reads.
@Suite struct PostgresValueTests {
    private func text(_ value: PostgresValue) -> String? { value.encoded.map { String(decoding: $0, as: UTF8.self) } }

    @Test func aSingleValueIsItsTextAndBytesAreThemselves() {
        #expect(PostgresValue.null.encoded == nil)
        #expect(PostgresValue.optional(nil).encoded == nil)
        #expect(text(.optional("a\"\\")) == "a\"\\")
        #expect(text(.text("")) == "")
        #expect(text(.number(Int64.min)) == "-9223372036854775808")
        #expect(text(.flag(true)) == "t")
        #expect(text(.flag(false)) == "f")
        #expect(PostgresValue.bytes([0, 255]).encoded == [0, 255])
        #expect(PostgresValue.bytes([]).isBinary)
        #expect(!PostgresValue.text("a").isBinary)
        #expect(!PostgresValue.byteArrays([[1]]).isBinary)
    }

    @Test func noTextEndsTheArrayThatItIsIn() {
        let texts = PostgresValue.texts(["a", "b\"c", "d\\e", "f,{g}", "", "NULL"])
        #expect(text(texts) == #"{"a","b\"c","d\\e","f,{g}","","NULL"}"#)
        #expect(text(.texts([])) == "{}")
    }

    @Test func bytesInAnArrayAreHexadecimal() {
        #expect(text(.byteArrays([[0x0A, 0xFF], []])) == #"{"\\x0aff","\\x"}"#)
    }

    @Test func nullInAnArrayIsNotTheTextNull() {
        let values: [SQLValue] = [
            .null, .text("NULL"), .number(Int64(-1)), .flag(true), .flag(false), .bytes([1]),
        ]
        #expect(text(.array(values)) == #"{NULL,"NULL",-1,t,f,"\\x01"}"#)
    }
}
