import HTTPTypes
import HummingbirdCore
import Keybearer

/// Refuses changes that another site's page asks for.
///
/// Browsers say where a request comes from in `Sec-Fetch-Site`; older ones say it in `Origin`, which is compared as an
/// origin: scheme, host and port. A request that says neither is refused: a form or a script of ours always says one of
/// them.
struct CrossSiteCheck: Sendable {
    /// The setting `public-url`; nil where no public address is configured.
    let publicOrigin: Origin?

    /// Whether a request that changes something may have come from one of our pages.
    func allows(_ context: RequestContext) -> Bool {
        let origins = context.headers[values: .origin]
        guard origins.count <= 1 else { return false }
        // Where a browser sends this, no page and no privacy setting changes it, as they do change Origin to null.
        let fetchSite = context.headers[values: HeaderName.fetchSite]
        if !fetchSite.isEmpty { return fetchSite == ["same-origin"] }
        guard let origin = origins.first.flatMap({ Origin($0) }) else { return false }
        if origin == publicOrigin { return true }
        let own = context.request.head.authority.flatMap {
            Origin(scheme: context.isHTTPS ? .https : .http, authority: $0)
        }
        return origin == own
    }

    /// Whether a method changes something.
    static func isUnsafe(_ method: HTTPRequest.Method) -> Bool {
        method != .get && method != .head && method != .options
    }
}
