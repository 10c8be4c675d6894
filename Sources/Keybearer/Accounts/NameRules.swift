import Foundation

/// What people, workspaces, plans and operator tokens may be called: 1 to 200 characters and at most 1,000
/// bytes in Unicode's form NFC, without characters that nobody sees.
package enum NameRules {
    /// The name as it is stored: without white space at both ends, in NFC.
    static func normalised(_ name: String) -> String { name.trimmedScalars.normalised }

    /// What is wrong with a normalised name; nil when it may be used.
    static func problem(with name: String) -> String? {
        if name.isEmpty { return "Enter a name." }
        // One character can be made of any number of marks.
        if name.count > 200 || name.utf8.count > 1_000 { return "Use at most 200 characters and 1,000 bytes." }
        let scalars = Array(name.unicodeScalars)
        for (place, scalar) in scalars.enumerated() where isUnseen(at: place, in: scalars) {
            return "The name contains the invisible character \(scalar.codePoint). Remove it."
        }
        return name.unicodeScalars.contains { !$0.isMark } ? nil : "Enter a name."
    }

    /// Whether nobody sees the character at this place; joiners and selectors that shape what is around them are
    /// excepted.
    package static func isUnseen(at place: Int, in scalars: [Unicode.Scalar]) -> Bool {
        guard scalars[place].isUnseen else { return false }
        let before = place > 0 ? scalars[place - 1] : nil
        let after = place + 1 < scalars.count ? scalars[place + 1] : nil
        return !isJoining(scalars[place], before, after)
    }

    /// Joiners shape letters of some scripts and emoji; the selectors of variants choose how the one before looks.
    private static func isJoining(
        _ scalar: Unicode.Scalar, _ before: Unicode.Scalar?, _ after: Unicode.Scalar?
    ) -> Bool {
        guard let before else { return false }
        switch scalar.value {
        case 0x200C, 0x200D: return isJoinable(before) && after.map(isJoinable) == true
        case 0xFE0E, 0xFE0F: return before.properties.isEmoji
        default: return false
        }
    }

    private static func isJoinable(_ scalar: Unicode.Scalar) -> Bool {
        if scalar.isMark { return !scalar.isUnseen || scalar.value == 0xFE0F }
        return !scalar.isASCII && (scalar.isLetter || scalar.properties.isEmoji)
    }
}

extension String {
    /// In Unicode's form NFC: one spelling of each accented letter.
    package var normalised: String { utf8.allSatisfy { $0 < 128 } ? self : precomposedStringWithCanonicalMapping }

    /// Without white space at both ends, whatever the characters beside it combine with.
    var trimmedScalars: String {
        let scalars = unicodeScalars
        let isSpace: (Unicode.Scalar) -> Bool = { $0.properties.isWhitespace }
        guard let end = scalars.lastIndex(where: { !isSpace($0) }) else { return "" }
        return String(scalars[...end].drop(while: isSpace))
    }
}

extension Unicode.Scalar {
    /// Whether nobody sees it, or it changes how what stands around it is shown: controls, format and bidirectional
    /// characters, zero-width ones and fillers, line separators, private use, and what is assigned to no character.
    var isUnseen: Bool {
        switch properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .surrogate, .unassigned: true
        // U+2800 is drawn as nothing.
        default: properties.isDefaultIgnorableCodePoint || value == 0x2800
        }
    }

    var isLetter: Bool {
        switch properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: true
        default: false
        }
    }

    var isMark: Bool {
        switch properties.generalCategory {
        case .nonspacingMark, .spacingMark, .enclosingMark: true
        default: false
        }
    }

    var isASCIILetterOrDigit: Bool { UInt8(exactly: value)?.isASCIILetterOrDigit == true }

    /// As people name it: `U+200B`.
    var codePoint: String {
        let digits = String(value, radix: 16, uppercase: true)
        return "U+" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
    }
}
