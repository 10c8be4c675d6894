import HTTPTypes
import Keybearer

/// The cookie that carries a session's token.
///
/// `__Host-` binds it to this host and to HTTPS, `HttpOnly` keeps scripts from it, `SameSite=Lax` keeps it out of other
/// sites' posts. Browsers treat `http://localhost` as secure, so it works in a demonstration as well.
///
/// `__Host-` demands the whole host. Where `public-url` has a path, the cookie is `__Secure-` and goes to that path alone:
/// the product on the same host never receives it, but a page there, or one of a sibling domain, could set one of its own.
struct SessionCookie: Sendable {
    /// The name where neither a path nor a product name is set.
    static let name = "__Host-keybearer"

    /// Under a name of its own the product's cookies are not called Keybearer.
    let name: String
    private let attributes: String

    init(place: Place = Place(), product: ProductName = .standard) {
        let plainName = product == .standard ? "keybearer" : "key-dashboard"
        name = (place.hasPath ? "__Secure-" : "__Host-") + plainName
        attributes = "Path=\(place.hasPath ? place.base : "/"); Secure; HttpOnly; SameSite=Lax"
    }

    /// The token of a request; nil when there is none or it can't be one.
    func token(in headers: HTTPFields) -> SessionToken? {
        for pair in headers[values: .cookie].flatMap({ $0.split(separator: ";") }) {
            let parts = pair.drop { $0 == " " }.split(separator: "=", maxSplits: 1)
            if parts.count == 2, parts[0] == name { return SessionToken(parsing: parts[1]) }
        }
        return nil
    }

    /// The field that sets the cookie.
    func set(_ token: SessionToken, policy: SessionPolicy) -> String { set(token, for: policy.absolute) }

    /// The field that sets the cookie of a session that lives for this long.
    func set(_ token: SessionToken, for life: Duration) -> String {
        "\(name)=\(token.characters); \(attributes); Max-Age=\(life.secondsRoundedUp)"
    }

    /// The field that removes the cookie.
    var remove: String { "\(name)=; \(attributes); Max-Age=0" }
}
