import HTTPTypes
import HummingbirdCore
import Keybearer

/// Refuses changes that another site's page asks for.
///
/// Browsers say where a request comes from in `Sec-Fetch-Site`; older ones say it in `Origin`. A request that says
/// neither is refused: a form or a script of ours always says one of them.
struct CrossSiteCheck: Sendable {
    /// `https://yourapp.com`, as browsers write it; nil where no public address is configured.
    let publicOrigin: String?

    /// Whether a request that changes something may have come from one of our pages.
    func allows(_ exchange: Exchange) -> Bool {
        let fetchSite = exchange.fields[values: FieldName.fetchSite]
        if !fetchSite.isEmpty { return fetchSite == ["same-origin"] }
        let origins = exchange.fields[values: .origin]
        guard origins.count == 1, let origin = origins.first?.lowercased() else { return false }
        if origin == publicOrigin { return true }
        guard let authority = exchange.request.head.authority?.lowercased(), !authority.isEmpty else { return false }
        return origin == "https://\(authority)" || origin == "http://\(authority)"
    }

    /// Whether a method changes something.
    static func isUnsafe(_ method: HTTPRequest.Method) -> Bool {
        method != .get && method != .head && method != .options
    }
}
