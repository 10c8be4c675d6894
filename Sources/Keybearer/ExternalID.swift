/// What the product calls a user or a workspace: its own id, by which its programs name it here.
///
/// 1 to 255 visible ASCII characters without `/`, `\`, `?`, `#` and `%`, and not dots alone: so it is in a path as
/// it is, and no proxy reads it as another path. Compared byte for byte.
public struct ExternalID: RawRepresentable, Sendable, Hashable, CustomStringConvertible {
    public let rawValue: String
    public var description: String { rawValue }

    /// Wraps a text that was accepted before, such as a store's.
    public init(rawValue: String) { self.rawValue = rawValue }

    /// Accepts a text; nil when it cannot be one.
    public init?(parsing text: String) {
        let bytes = text.utf8
        guard (1...255).contains(bytes.count),
            bytes.allSatisfy({ $0 > 32 && $0 < 127 && !#"/\?#%"#.utf8.contains($0) }),
            !bytes.allSatisfy({ $0 == UInt8(ascii: ".") })
        else { return nil }
        rawValue = text
    }

    /// What to do about a text that cannot be one.
    public static let rule =
        #"Use 1 to 255 visible ASCII characters without / \ ? # and %, and not dots alone."#
}

/// How an operator's program names a user or a workspace: by our id or by the product's.
public enum Reference<ID: PrefixedID>: Sendable, Hashable {
    /// Our own, such as `usr_…`.
    case id(ID)
    /// The product's, written `ext:…`.
    case external(ExternalID)

    /// What stands before an external id.
    package static var externalMark: String { "ext:" }

    /// Reads a segment of a path; nil when it is neither.
    public init?(_ text: String) {
        if text.hasPrefix(Self.externalMark) {
            guard let external = ExternalID(parsing: String(text.dropFirst(Self.externalMark.count))) else {
                return nil
            }
            self = .external(external)
        } else {
            guard let id = ID(parsing: text) else { return nil }
            self = .id(id)
        }
    }

    /// The form that is in a path.
    public var text: String {
        switch self {
        case .id(let id): id.rawValue
        case .external(let external): Self.externalMark + external.rawValue
        }
    }
}
