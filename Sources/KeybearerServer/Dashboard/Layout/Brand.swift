public import Keybearer

/// How the pages look like the product's.
public struct Brand: Sendable {
    /// What pages, realms and the OpenAPI document call the product.
    public var productName = ProductName.standard
    /// The mark before the product's name; nil shows a key.
    public var logo: BrandLogo?
    /// Where the pages say that help is; nil says nothing.
    public var supportURL: SupportURL?
    /// The colour of links and buttons; nil takes the style sheet's own.
    public var accentColor: AccentColor?

    /// The defaults above.
    public init() {}

    /// The style sheet that the brand adds; nil where the dashboard's own is enough.
    var stylesheet: String? { accentColor?.stylesheet }
}

/// Where people get help: a page of the product, or an address to write to.
public struct SupportURL: Sendable, Hashable, CustomStringConvertible {
    /// As the operator wrote it.
    public let description: String

    /// Reads an absolute `https:` URL, or `mailto:` with an e-mail address and, if need be, a subject.
    ///
    /// - Returns: nil for other schemes, which could run a script, and for characters that a URL must escape.
    public init?(_ text: String) {
        if text.lowercased().hasPrefix("mailto:") {
            let address = text.dropFirst("mailto:".count).prefix { $0 != "?" }
            let isPlain = text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && !"\"<>\\^`{|}".utf8.contains($0) }
            guard isPlain, text.utf8.count <= 2_048, EmailAddress(String(address)) != nil else { return nil }
        } else {
            guard text.lowercased().hasPrefix("https://"), (try? BillingURL(text)) != nil else { return nil }
        }
        description = text
    }
}
