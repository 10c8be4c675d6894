import HTTPTypes
import Keybearer

/// The cookie of a browser that has given the password and not the code yet. It opens nothing but the page that asks for
/// the code.
struct PendingSignInCookie: Sendable {
    let name: String
    private let attributes: String

    /// - Parameter session: the cookie of the sessions that it leads to.
    init(beside session: SessionCookie) {
        name = session.name + "-code"
        attributes = "Path=\(session.path); Secure; HttpOnly; SameSite=Lax"
    }

    /// The token of a request; nil when there is none or it can't be one.
    func token(in headers: HTTPFields) -> PendingSignInToken? {
        for pair in headers[values: .cookie].flatMap({ $0.split(separator: ";") }) {
            let parts = pair.drop { $0 == " " }.split(separator: "=", maxSplits: 1)
            if parts.count == 2, parts[0] == name { return PendingSignInToken(parsing: parts[1]) }
        }
        return nil
    }

    /// The field that sets the cookie.
    func set(_ token: PendingSignInToken) -> String {
        "\(name)=\(token.characters); \(attributes); Max-Age=\(PendingSignIn.life.secondsRoundedUp)"
    }

    /// The field that removes the cookie.
    var remove: String { "\(name)=; \(attributes); Max-Age=0" }
}
