import HTTPTypes
import Keybearer

/// The cookie by which a browser is known again that signed in before: only a mail that tells of a new one depends on it.
/// It is no credential, names nobody, and stays when the session ends.
struct DeviceCookie: Sendable {
    private let name: String
    private let path: String

    /// - Parameter session: beside which it stands.
    init(_ session: SessionCookie) {
        name = session.name + "-device"
        path = session.path
    }

    /// The number of a request's cookie; nil where it has none.
    func number(in context: RequestContext) -> String? {
        for pair in context.headers[values: .cookie].flatMap({ $0.split(separator: ";") }) {
            let parts = pair.drop { $0 == " " }.split(separator: "=", maxSplits: 1)
            if parts.count == 2, parts[0] == name, KnownDevice.isCookie(parts[1]) { return String(parts[1]) }
        }
        return nil
    }

    /// The field that sets it.
    func set(_ number: String) -> String {
        "\(name)=\(number); Path=\(path); Secure; HttpOnly; SameSite=Lax; "
            + "Max-Age=\(KnownDevice.memory.secondsRoundedUp)"
    }
}

/// The device of a request.
struct RequestDevice: Sendable {
    /// What the store knows it by.
    let digest: [UInt8]
    /// The number of the cookie that the response sets; nil for none.
    let newNumber: String?

    /// - Parameters:
    ///   - getsCookie: whether the request may be one that somebody signs in with, or sees the key by.
    ///   - random: makes the number of a new cookie.
    init(_ context: RequestContext, _ cookie: DeviceCookie, getsCookie: Bool, random: RandomSource) {
        if let number = cookie.number(in: context) {
            (digest, newNumber) = (KnownDevice.digest(ofCookie: number), nil)
        } else if getsCookie, context.place == .window {
            let number = KnownDevice.makeCookie(random: random)
            (digest, newNumber) = (KnownDevice.digest(ofCookie: number), number)
        } else {
            let browser = BrowserName.describe(context.userAgent)
            (digest, newNumber) = (KnownDevice.digest(browser: browser, at: context.client), nil)
        }
    }
}
