import Testing

@testable import KeybearerServer

/// Lines of ``CSV``.
@Suite struct CSVTests {
    @Test(
        "What a spreadsheet would calculate is text, and what parts cells is in quotes",
        arguments: [
            ("=1+1", "'=1+1"), ("+1", "'+1"), ("-1", "'-1"), ("@SUM(A1)", "'@SUM(A1)"), ("\tx", "'\tx"),
            ("\r=1", "\"'\r=1\""), ("\n=1", "\"'\n=1\""), ("|a", "'|a"), ("%a", "'%a"), ("＝1", "'＝1"), ("1=1", "1=1"),
            ("a,b", "\"a,b\""), ("a\"b", "\"a\"\"b\""), ("=\"a\"", "\"'=\"\"a\"\"\""), ("a\nb", "\"a\nb\""),
            ("a\r\nb", "\"a\r\nb\""), ("", ""), ("Europe/Berlin", "Europe/Berlin"),
        ])
    func cell(_ text: String, _ cell: String) { #expect(CSV.cell(text) == cell) }

    @Test func row() { #expect(CSV.row(["a", "=b", "c,d"]) == "a,'=b,\"c,d\"\r\n") }
}
