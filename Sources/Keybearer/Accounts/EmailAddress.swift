/// An e-mail address in the form by which accounts are told apart: trimmed and in lower case.
public struct EmailAddress: Sendable, Hashable, CustomStringConvertible {
    /// The normalised address.
    public let rawValue: String
    public var description: String { rawValue }

    /// Accepts an address of at most 254 characters with one `@`, something before it, and a host behind it.
    ///
    /// Only a message that arrives proves an address; this refuses what plainly is none.
    public init?(_ text: String) {
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
        rawValue = address
    }

    /// Wraps an address that was normalised before, such as a store's.
    public init(normalised: String) {
        rawValue = normalised
    }
}
