/// Comma-separated values (RFC 4180), whose cells no spreadsheet takes for formulas.
enum CSV {
    /// A line, with its end.
    static func row(_ cells: [String]) -> String { cells.map(cell).joined(separator: ",") + "\r\n" }

    /// A cell, in quotes where it needs them. What a spreadsheet would calculate gets an apostrophe, which makes it text.
    static func cell(_ text: String) -> String {
        let isFormula = text.unicodeScalars.first.map { formulaBeginnings.contains($0) } ?? false
        let shown = isFormula ? "'" + text : text
        // By bytes: a carriage return and a line feed are one character.
        guard shown.utf8.contains(where: { ",\"\r\n".utf8.contains($0) }) else { return shown }
        return "\"" + shown.replacing("\"", with: "\"\"") + "\""
    }

    /// With the wide forms that some spreadsheets take for the same.
    private static let formulaBeginnings = Set("=+-@\t\r\n|%\u{FF1D}\u{FF0B}\u{FF0D}\u{FF20}".unicodeScalars)
}
