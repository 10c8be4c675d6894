import HTTPTypes
import Keybearer

/// Where a browser shows a page. Each place has a session of its own, so that neither replaces the other's.
enum SessionPlace: Sendable {
    /// A window or a tab.
    case window
    /// A frame of another page, such as the product's: only portal sessions are there.
    case frame

    /// The values of `Sec-Fetch-Dest` by which a browser asks for a page to put into another one.
    fileprivate static let frames: Set<String> = ["iframe", "frame", "embed", "object", "fencedframe"]
}

extension RequestContext {
    /// Where the page is shown that the request is for, or that made it.
    ///
    /// Browsers say it when they load a page. A script's request does not say it, so that our script adds a header; no
    /// script of another origin can. Whoever says nothing is in a window, whose pages no frame shows.
    var place: SessionPlace {
        let isFrame = headers[values: HeaderName.fetchDestination].contains { SessionPlace.frames.contains($0) }
        return isFrame || headers[HeaderName.shownInFrame] != nil ? .frame : .window
    }
}

/// The cookies that carry a session's token: one for windows, one for frames. A request reads the one of its place alone.
///
/// `__Host-` binds them to this host and to HTTPS, `HttpOnly` keeps scripts from them. Browsers treat `http://localhost`
/// as secure, so they work in a demonstration as well. `SameSite=Lax` keeps the window's out of other sites' posts and
/// frames. The frame's must be sent inside another site's page: `Partitioned` keeps it to frames of that one site, and
/// ``CrossSiteCheck`` alone keeps other sites from posting with it.
///
/// `__Host-` demands the whole host. Where `public-url` has a path, the cookies are `__Secure-` and go to that path alone:
/// the product on the same host never receives them, but a page there, or one of a sibling domain, could set one of its
/// own.
struct SessionCookie: Sendable {
    /// The cookie of windows where neither a path nor a product name is set.
    static let name = "__Host-keybearer"
    /// The cookie of frames there.
    static let frameName = name + "-frame"

    /// The cookie of windows. Under a name of its own the product's cookies are not called Keybearer.
    let name: String
    /// The path that it goes to, and whatever is below.
    let path: String

    init(place: Place = Place(), product: ProductName = .standard) {
        let plainName = product == .standard ? "keybearer" : "key-dashboard"
        name = (place.hasPath ? "__Secure-" : "__Host-") + plainName
        path = place.hasPath ? place.base : "/"
    }

    /// The token of a request, from the cookie of its place; nil when there is none or it can't be one.
    func token(in context: RequestContext) -> SessionToken? {
        let name = name(in: context.place)
        for pair in context.headers[values: .cookie].flatMap({ $0.split(separator: ";") }) {
            let parts = pair.drop { $0 == " " }.split(separator: "=", maxSplits: 1)
            if parts.count == 2, parts[0] == name { return SessionToken(parsing: parts[1]) }
        }
        return nil
    }

    /// The field that sets the cookie of a window.
    func set(_ token: SessionToken, policy: SessionPolicy) -> String { set(token, for: policy.absolute, in: .window) }

    /// The field that sets the cookie of a session that lives for this long.
    func set(_ token: SessionToken, for life: Duration, in place: SessionPlace) -> String {
        field(token.characters, in: place, seconds: life.secondsRoundedUp)
    }

    /// The field that removes the cookie.
    func remove(in place: SessionPlace = .window) -> String { field("", in: place, seconds: 0) }

    private func name(in place: SessionPlace) -> String { place == .frame ? name + "-frame" : name }

    private func field(_ value: String, in place: SessionPlace, seconds: Int64) -> String {
        let site = place == .frame ? "SameSite=None; Partitioned" : "SameSite=Lax"
        return "\(name(in: place))=\(value); Path=\(path); Secure; HttpOnly; \(site); Max-Age=\(seconds)"
    }
}
