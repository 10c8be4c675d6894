/// The product's mark: a picture in memory, with the type that its own bytes say it has.
public struct BrandLogo: Sendable {
    /// Why a file is no logo, as a sentence for the operator.
    public struct Problem: Error, Hashable, CustomStringConvertible {
        public let description: String
    }

    /// The largest file.
    public static let mostBytes = 256 * 1_024

    let bytes: [UInt8]
    /// `image/png`, `image/webp` or `image/svg+xml`.
    let contentType: String
    /// Names the content, for its address.
    let hash: String

    /// Takes a file's content.
    ///
    /// The type is that of the content, whatever the file is called, so that browsers never guess. An SVG may hold scripts.
    /// They do not run: pages show it as a picture, and ``policy`` holds where it is opened on its own.
    ///
    /// - Throws: ``Problem`` for what is neither PNG nor WebP nor SVG, or too large.
    public init(_ bytes: [UInt8]) throws(Problem) {
        guard bytes.count <= Self.mostBytes else {
            throw Problem(description: "the file is larger than \(Self.mostBytes / 1_024) KiB")
        }
        guard let type = Self.type(of: bytes) else {
            throw Problem(description: "the file is no PNG, no WebP and no SVG in UTF-8")
        }
        self.bytes = bytes
        contentType = type
        hash = DashboardAssets.contentHash(bytes)
    }

    /// The policy of the picture's own response: no scripts, and nothing from elsewhere.
    static let policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; sandbox"

    private static func type(of bytes: [UInt8]) -> String? {
        if bytes.starts(with: [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) { return "image/png" }
        if bytes.starts(with: "RIFF".utf8), bytes.dropFirst(8).starts(with: "WEBP".utf8) { return "image/webp" }
        return String(validating: bytes, as: UTF8.self).map { isSVG($0[...]) } == true ? "image/svg+xml" : nil
    }

    /// Whether the first element of a document is `svg`.
    private static func isSVG(_ document: Substring) -> Bool {
        var rest = document.drop { $0 == "\u{FEFF}" || $0.isWhitespace }
        for (start, end) in [("<?", "?>"), ("<!--", "-->"), ("<!DOCTYPE", ">"), ("<!--", "-->")] {
            while rest.hasPrefix(start) {
                guard let close = rest.firstRange(of: end) else { return false }
                rest = rest[close.upperBound...].drop(while: \.isWhitespace)
            }
        }
        guard rest.hasPrefix("<svg"), let next = rest.dropFirst(4).first else { return false }
        return next.isWhitespace || next == ">" || next == "/"
    }
}
