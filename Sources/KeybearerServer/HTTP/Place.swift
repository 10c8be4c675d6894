import Foundation
import HTTPTypes
package import Keybearer

/// Where the server is for its clients. It makes every path and URL that the server emits.
///
/// Routes, handlers and page models have local paths, which begin at the server's own root: `/account`. What clients see
/// begins with the path of `public-url`: `/developers/account`. Templates write `{{base}}` before a local path; everything
/// else goes through ``path(_:)``, ``url(_:for:)`` or ``apiURL(for:)``.
///
/// Requests arrive with that path or, behind a proxy that strips it, without. Both become local paths before anything
/// looks at them.
struct Place: Sendable {
    /// The path of `public-url`: empty, or such as `/developers`.
    let base: String
    /// Whether there is one. A request asks for nothing else where there is none.
    let hasPath: Bool
    /// Where clients reach the server; nil takes the address that a client used.
    let publicURL: PublicURL?
    /// Where clients reach the API, if that is another address.
    let apiURL: PublicURL?

    init(publicURL: PublicURL? = nil, apiURL: PublicURL? = nil) {
        self.publicURL = publicURL
        self.apiURL = apiURL
        base = publicURL?.path ?? ""
        hasPath = !base.isEmpty
    }

    /// A local path as clients see it.
    func path(_ local: String) -> String { base + local }

    /// The URL of a local path, for people and programs. Without `public-url` it names the host that the client used.
    func url(_ local: String, for context: RequestContext) -> String {
        (publicURL?.description ?? context.baseURL) + local
    }

    /// What stands before `/api/v1` in examples.
    func apiURL(for context: RequestContext) -> String {
        (apiURL ?? publicURL)?.description ?? context.baseURL
    }

    /// A request with its local path, whether or not a proxy has stripped the path of `public-url`.
    func withLocalPath(_ head: HTTPRequest) -> HTTPRequest {
        guard hasPath, let path = head.path, let rest = Self.rest(of: path, behind: base) else { return head }
        var head = head
        head.path = rest
        return head
    }

    /// Where a form leads afterwards, as a local path: a path of this server and nothing else, whatever was written into
    /// the form. Browsers read `\` as `/`, and dot segments could lead from the path of `public-url` to pages of the
    /// product.
    func localPath(_ text: String?) -> String? {
        guard let text, text.hasPrefix("/"), !text.hasPrefix("//"), text.utf8.count <= 1_000,
            text.utf8.allSatisfy({ $0 > 32 && $0 < 127 && $0 != UInt8(ascii: "\\") })
        else { return nil }
        let segments = text.prefix { $0 != "?" && $0 != "#" }.split(separator: "/")
        let hasDots = segments.contains { [".", ".."].contains($0.lowercased().replacing("%2e", with: ".")) }
        if hasDots { return nil }
        guard hasPath, let rest = Self.rest(of: text, behind: base) else { return text }
        return rest.hasPrefix("//") ? nil : rest
    }

    /// A path without the base, with its query; nil where it is not below the base.
    private static func rest(of path: String, behind base: String) -> String? {
        guard path.utf8.starts(with: base.utf8) else { return nil }
        let rest = path.utf8.dropFirst(base.utf8.count)
        switch rest.first {
        case UInt8(ascii: "/"): return String(Substring(rest))
        case nil, UInt8(ascii: "?"): return "/" + Substring(rest)
        default: return nil
        }
    }

    /// The first segments of the server's own paths, present and reserved. The path of `public-url` begins with none of
    /// them: behind a proxy that strips it, `/api/v1/me` could otherwise mean two things.
    static let ownSegments: Set<String> = [
        "api", "operator", "healthz", "readyz", "metrics", "openapi.json", "docs", "assets", "sign-in", "sign-up",
        "sign-out", "confirm", "portal", "oidc", "account", "workspaces", "invitations", "verify-email",
        "forgot-password", "reset-password", "leaks",
    ]
}

extension PublicURL {
    /// Why the server cannot be at this URL, as a sentence for the operator; nil where it can.
    package var problemAsPlace: String? {
        guard let first = path.split(separator: "/").first, Place.ownSegments.contains(first.lowercased()) else {
            return nil
        }
        return "its path begins with /\(first), which is one of the server's own paths"
    }
}
