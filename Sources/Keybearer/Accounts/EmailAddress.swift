import Foundation

/// An e-mail address in the one form by which accounts are told apart.
///
/// The local part is in Unicode's form NFC and in lower case: ASCII letters, digits and ``!#$%&'*+-/=?^_`{|}~`` with
/// single dots between them, and other letters, their marks and digits. The domain is ASCII; one with other letters is
/// written in its `xn--` form. So two addresses that differ only in case, in how accents are encoded, or in characters
/// that nobody sees are the same address or none. Letters of different scripts that look alike stay different.
public struct EmailAddress: Sendable, Hashable, CustomStringConvertible {
    /// The normalised address.
    public let rawValue: String
    public var description: String { rawValue }

    /// Why a text is no address.
    public struct Problem: Error, Hashable {
        /// What is wrong and what to do, for whoever typed it.
        public let message: String

        static let malformed = Problem(message: "Enter an e-mail address such as ada@example.com.")
    }

    /// Accepts an address of at most 254 bytes, 64 of them before the `@`; nil if it is malformed.
    ///
    /// This checks the form only; it does not prove that mail is delivered.
    public init?(_ text: String) {
        guard let address = try? EmailAddress(parsing: text) else { return nil }
        self = address
    }

    /// The same, saying what is wrong.
    public init(parsing text: String) throws(Problem) {
        let trimmed = text.trimmedScalars
        // A bound on the work, before any is done.
        guard trimmed.utf8.count <= 1_024 else { throw .malformed }
        if let hidden = trimmed.unicodeScalars.first(where: { $0.isUnseen }) {
            throw Problem(
                message: "The address contains the invisible character \(hidden.codePoint). Remove it.")
        }
        let parts = trimmed.split(separator: "@", omittingEmptySubsequences: false)
        guard parts.count == 2 else { throw .malformed }
        rawValue = try Self.localPart(parts[0]) + "@" + Self.domain(parts[1])
        guard rawValue.utf8.count <= 254 else {
            throw Problem(message: "Enter an e-mail address such as ada@example.com, of at most 254 bytes.")
        }
    }

    /// Wraps an address that was normalised before, such as a store's.
    package init(normalised: String) {
        rawValue = normalised
    }

    private static func localPart(_ text: Substring) throws(Problem) -> String {
        for scalar in text.unicodeScalars where !isAllowed(scalar) { throw notAllowed(scalar) }
        let lower =
            text.utf8.allSatisfy { $0 < 128 } ? text.lowercased() : String(text).normalised.lowercased().normalised
        guard lower.utf8.count <= 64 else {
            throw Problem(
                message: "Enter an e-mail address such as ada@example.com, with at most 64 bytes before the @.")
        }
        // A dot stands between characters, and a mark on a letter.
        var before: Unicode.Scalar = "."
        for scalar in lower.unicodeScalars {
            if scalar == ".", before == "." { throw .malformed }
            if scalar.isMark, !(before.isLetter || before.isMark) { throw notAllowed(scalar) }
            // What carries a dot already looks the same with another.
            if scalar == "\u{307}", before.properties.isSoftDotted { throw notAllowed(scalar) }
            before = scalar
        }
        guard before != "." else { throw .malformed }
        return lower
    }

    private static func isAllowed(_ scalar: Unicode.Scalar) -> Bool {
        if scalar.isASCII {
            return scalar.isASCIILetterOrDigit || "!#$%&'*+-/=?^_`{|}~.".unicodeScalars.contains(scalar)
        }
        guard scalar.isLetter || scalar.isMark || scalar.properties.generalCategory == .decimalNumber else {
            return false
        }
        // Full-width letters, ligatures, the Kelvin sign: other spellings of what has a plain one.
        let text = String(scalar)
        return text.precomposedStringWithCompatibilityMapping.utf8.elementsEqual(text.normalised.utf8)
            && !text.normalised.unicodeScalars.allSatisfy(\.isASCII)
    }

    private static func domain(_ text: Substring) throws(Problem) -> String {
        if let scalar = text.unicodeScalars.first(where: { !$0.isASCII }) {
            throw Problem(
                message: "The domain contains \(scalar.codePoint). Write a domain with such letters in its xn-- form.")
        }
        let domain = text.lowercased()
        let isHostName = domain.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { label in
            (1...63).contains(label.utf8.count) && !label.hasPrefix("-") && !label.hasSuffix("-")
                && label.unicodeScalars.allSatisfy { $0.isASCIILetterOrDigit || $0 == "-" }
        }
        guard isHostName else { throw .malformed }
        return domain
    }

    private static func notAllowed(_ scalar: Unicode.Scalar) -> Problem {
        Problem(message: "The address contains \(scalar.codePoint), which is not allowed there. Remove it.")
    }
}

extension EmailAddress {
    /// The form that earlier versions made of a text; nil for what they refused. Accounts of then are found by it.
    static func legacyForm(_ text: String) -> EmailAddress? {
        let trimmed = text.split(whereSeparator: \.isWhitespace)
        guard trimmed.count == 1, let address = trimmed.first?.lowercased(), address.utf8.count <= 254 else {
            return nil
        }
        let parts = address.split(separator: "@", omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty, parts[0].utf8.count <= 64 else { return nil }
        guard !parts[1].hasPrefix("."), !parts[1].hasSuffix("."), !parts[1].contains("..") else { return nil }
        guard
            address.unicodeScalars.allSatisfy({
                $0.value > 32 && $0.value != 127 && !"<>()[]\\,;:\"".unicodeScalars.contains($0)
            })
        else { return nil }
        return EmailAddress(normalised: address)
    }

    /// The stored addresses to search for when a user types this text: version 0.1's form first, so that each of two
    /// twins is still found by its own spelling, then today's form, then other spellings. Empty if no version accepted
    /// the text.
    package static func spellings(of text: String) -> [EmailAddress] {
        let forms = [legacyForm(text), EmailAddress(text)].compactMap { $0?.rawValue }
        guard let base = forms.last else { return [] }
        // Earlier versions kept accents, and domains, as they were typed.
        let read = base.withDomainRead
        let older = [base, read].flatMap { [$0.normalised, $0.decomposedStringWithCanonicalMapping] }
        return distinct(forms + older)
    }

    private static func distinct(_ forms: [String]) -> [EmailAddress] {
        forms.reduce(into: []) { found, form in
            // Compared by bytes, as stores compare: Swift takes all spellings of an accent as equal.
            if !found.contains(where: { $0.rawValue.utf8.elementsEqual(form.utf8) }) {
                found.append(EmailAddress(normalised: form))
            }
        }
    }

    /// The address under which failed sign-ins are counted. All spellings of an address share it; `xn--` domains are
    /// decoded.
    var throttlingForm: EmailAddress { EmailAddress(normalised: rawValue.withDomainRead) }

    /// Under which other addresses an earlier version may have stored another account with the same ``throttlingForm``.
    /// There are some only where the address has other letters than ASCII, or the `xn--` form of some.
    package var otherSpellings: [EmailAddress] {
        let read = rawValue.withDomainRead
        let written = [read.normalised, read.decomposedStringWithCanonicalMapping].map(\.withDomainWritten)
        let forms = written.flatMap { [$0.normalised, $0.decomposedStringWithCanonicalMapping] }
        return Self.distinct(Self.spellings(of: rawValue).map(\.rawValue) + forms)
            .filter { !$0.rawValue.utf8.elementsEqual(rawValue.utf8) }
    }

    /// The same for all spellings of one address, those of earlier versions included: accounts that share it are twins.
    package var twinForm: String {
        let seen = String(String.UnicodeScalarView(rawValue.withDomainRead.unicodeScalars.filter { !$0.isUnseen }))
        let folded = seen.precomposedStringWithCompatibilityMapping.lowercased()
        return folded.precomposedStringWithCompatibilityMapping.replacing("\u{3002}", with: ".")
    }
}

extension String {
    /// An address with the `xn--` labels of its domain read; itself where there are none.
    fileprivate var withDomainRead: String {
        guard contains("xn--"), let at = lastIndex(of: "@") else { return self }
        return self[...at] + Punycode.decoded(String(self[index(after: at)...]))
    }

    /// An address with other letters of its domain than ASCII written in the `xn--` form; itself where there are none.
    fileprivate var withDomainWritten: String {
        guard let at = lastIndex(of: "@") else { return self }
        return self[...at] + Punycode.encoded(String(self[index(after: at)...]))
    }
}
