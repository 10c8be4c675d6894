import HTTPTypes
import Hummingbird
import Keybearer

/// Which pages may show portal pages in a frame: those of the setting `embed-origins`. No other page is ever framed.
struct FramePolicy: Sendable {
    /// The part of a content security policy that keeps a page out of every frame.
    static let nobody = "frame-ancestors 'none'"

    private let ancestors: String?

    /// - Parameter origins: the pages that may; none keeps everything out of frames.
    init(origins: [Origin]) {
        ancestors = origins.isEmpty ? nil : "frame-ancestors " + origins.map(\.description).joined(separator: " ")
    }

    /// Whether any page may show ours.
    var isOpen: Bool { ancestors != nil }

    /// Lets the pages show this one. A response without a policy, such as a script's, stays as it is.
    func allow(_ response: inout Response) {
        guard let ancestors, let policy = response.headers[HeaderName.csp] else { return }
        response.headers[HeaderName.csp] = policy.replacing(Self.nobody, with: ancestors)
    }
}
