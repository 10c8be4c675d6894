import HTTPTypes
import Keybearer

/// The cookie that carries a session's token.
///
/// `__Host-` binds it to this host and to HTTPS, `HttpOnly` keeps scripts from it, `SameSite=Lax` keeps it out of other
/// sites' posts. Browsers treat `http://localhost` as secure, so it works in a demonstration as well.
enum SessionCookie {
    static let name = "__Host-keybearer"

    /// The token of a request; nil when there is none or it can't be one.
    static func token(in headers: HTTPFields) -> SessionToken? {
        for pair in headers[values: .cookie].flatMap({ $0.split(separator: ";") }) {
            let parts = pair.drop { $0 == " " }.split(separator: "=", maxSplits: 1)
            if parts.count == 2, parts[0] == name { return SessionToken(parsing: parts[1]) }
        }
        return nil
    }

    /// The field that sets the cookie.
    static func set(_ token: SessionToken, policy: SessionPolicy) -> String { set(token, for: policy.absolute) }

    /// The field that sets the cookie of a session that lives for this long.
    static func set(_ token: SessionToken, for life: Duration) -> String {
        "\(name)=\(token.characters); Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=\(life.secondsRoundedUp)"
    }

    /// The field that removes the cookie.
    static let remove = "\(name)=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0"
}
