/// What pages, messages and challenges call the product.
public struct ProductName: Sendable, Hashable, CustomStringConvertible {
    /// The name, for people.
    public let description: String

    /// The name where none is set.
    public static let standard = ProductName(known: "Keybearer")

    private init(known name: String) {
        description = name
    }

    /// Reads a name of 1 to 60 characters, without any that nobody sees.
    ///
    /// - Returns: nil for any other text, and for white space at either end.
    public init?(_ text: String) {
        let name = NameRules.normalised(text)
        guard name.unicodeScalars.count == text.normalised.unicodeScalars.count, name.count <= 60,
            NameRules.problem(with: name) == nil
        else { return nil }
        description = name
    }

    /// The name as the realm of a challenge, between quotes in a header: its visible ASCII, since clients read other
    /// characters in different ways. `API` where nothing is left.
    public var realm: String {
        let visible = description.unicodeScalars.filter {
            $0.value >= 0x20 && $0.value < 0x7F && $0 != "\"" && $0 != "\\"
        }
        let words = String(String.UnicodeScalarView(visible)).split(separator: " ")
        return words.isEmpty ? "API" : words.joined(separator: " ")
    }
}
