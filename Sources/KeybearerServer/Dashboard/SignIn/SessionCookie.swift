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
enum SessionCookie {
    /// The cookie of windows.
    static let name = "__Host-keybearer"
    /// The cookie of frames.
    static let frameName = "__Host-keybearer-frame"

    /// The token of a request, from the cookie of its place; nil when there is none or it can't be one.
    static func token(in context: RequestContext) -> SessionToken? {
        let name = name(in: context.place)
        for pair in context.headers[values: .cookie].flatMap({ $0.split(separator: ";") }) {
            let parts = pair.drop { $0 == " " }.split(separator: "=", maxSplits: 1)
            if parts.count == 2, parts[0] == name { return SessionToken(parsing: parts[1]) }
        }
        return nil
    }

    /// The field that sets the cookie of a window.
    static func set(_ token: SessionToken, policy: SessionPolicy) -> String {
        set(token, for: policy.absolute, in: .window)
    }

    /// The field that sets the cookie of a session that lives for this long.
    static func set(_ token: SessionToken, for life: Duration, in place: SessionPlace) -> String {
        field(token.characters, in: place, seconds: life.secondsRoundedUp)
    }

    /// The field that removes the cookie.
    static func remove(in place: SessionPlace = .window) -> String { field("", in: place, seconds: 0) }

    private static func name(in place: SessionPlace) -> String { place == .frame ? frameName : name }

    private static func field(_ value: String, in place: SessionPlace, seconds: Int64) -> String {
        let site = place == .frame ? "SameSite=None; Partitioned" : "SameSite=Lax"
        return "\(name(in: place))=\(value); Path=/; Secure; HttpOnly; \(site); Max-Age=\(seconds)"
    }
}
