import Keybearer

/// Text that a terminal shows as it is, and that cannot command it.
///
/// Names, labels and addresses come from people. A control character in one could move the cursor, hide a line or
/// reverse the order of what stands beside it.
enum VisibleText {
    /// A text in which characters that are not seen are written out, such as `\u{202E}`.
    ///
    /// - Parameter keepsLines: whether line feeds stay: for texts of several lines that the program itself put
    ///   together.
    static func escaped(_ text: String, keepsLines: Bool) -> String {
        replacing(in: text) { scalar in
            scalar == "\n" && keepsLines ? nil : "\\u{\(hexadecimal(scalar.value))}"
        }
    }

    /// JSON in which characters that are not seen are escaped as JSON escapes them.
    static func escapedJSON(_ text: String) -> String {
        // Line feeds are the only control characters that stand between the values.
        replacing(in: text) { scalar in
            scalar == "\n" ? nil : String(scalar).utf16.map { "\\u\(hexadecimal(UInt32($0)))" }.joined()
        }
    }

    private static func replacing(in text: String, with replacement: (Unicode.Scalar) -> String?) -> String {
        var shown = ""
        let scalars = Array(text.unicodeScalars)
        for (place, scalar) in scalars.enumerated() {
            if NameRules.isUnseen(at: place, in: scalars), let escaped = replacement(scalar) {
                shown += escaped
            } else {
                shown.unicodeScalars.append(scalar)
            }
        }
        return shown
    }

    private static func hexadecimal(_ value: UInt32) -> String {
        let digits = String(value, radix: 16, uppercase: true)
        return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
    }
}
