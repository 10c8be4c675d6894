import HTTPTypes
import Keybearer

/// The cookie that binds a way to the provider and back to one browser.
///
/// Where it goes and what it is called is as for ``SessionCookie``: `SameSite=Lax` lets it come with the navigation by which
/// the provider sends the browser back.
struct AttemptCookie: Sendable {
    let name: String
    private let attributes: String

    /// - Parameter session: the cookie of the sessions that it leads to.
    init(beside session: SessionCookie) {
        name = session.name + "-sign-in"
        attributes = "Path=\(session.path); Secure; HttpOnly; SameSite=Lax"
    }

    /// The attempt of a request; nil when there is none or it can't be one.
    func attempt(in headers: HTTPFields) -> SignInAttempt? {
        for pair in headers[values: .cookie].flatMap({ $0.split(separator: ";") }) {
            let parts = pair.drop { $0 == " " }.split(separator: "=", maxSplits: 1)
            if parts.count == 2, parts[0] == name { return SignInAttempt(parsing: parts[1]) }
        }
        return nil
    }

    /// The field that sets the cookie.
    func set(_ attempt: SignInAttempt) -> String {
        "\(name)=\(attempt.cookieValue); \(attributes); Max-Age=\(SignInAttempt.life.secondsRoundedUp)"
    }

    /// The field that removes the cookie.
    var remove: String { "\(name)=; \(attributes); Max-Age=0" }
}
