import Crypto
import Foundation

/// One browser's way to the provider and back, kept in a cookie of that browser alone.
///
/// The cookie holds a random token with the ring's keyed tag, so that a forgery is refused from memory. What goes to the
/// provider is derived from the token with HMAC-SHA-256 under labels of their own: `state`, which covers everything that
/// is in the cookie, `nonce`, and the PKCE verifier. So nothing is stored before the browser is back, and an attempt is
/// worth nothing to whoever has only seen what went to the provider. It ends with the rotation of its tag key, or after
/// ten minutes. Prints as nothing but its kind.
package struct SignInAttempt: Sendable, Equatable, CustomStringConvertible, CustomReflectable {
    /// How long it takes at most, and how long an identity waits to be connected with an account.
    package static let life: Duration = .seconds(600)

    let token: String
    /// When it began.
    let begunAt: Timestamp
    /// The session whose holder gives proof again; nil for a sign-in.
    let confirmed: SessionID?
    /// The path to go to afterwards.
    package let next: String

    static func begin(
        from vault: KeyVault, random: RandomSource, at now: Timestamp, confirming session: SessionID?, next: String
    ) -> SignInAttempt {
        let token = vault.mint(.signInAttempt, random: random).characters
        return SignInAttempt(token: token, begunAt: now, confirmed: session, next: next)
    }

    private init(token: String, begunAt: Timestamp, confirmed: SessionID?, next: String) {
        self.token = token
        self.begunAt = begunAt
        self.confirmed = confirmed
        self.next = next
    }

    /// Accepts a cookie's value; nil when it cannot be one.
    package init?(parsing text: some StringProtocol) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard text.utf8.count <= 2_048, parts.count == 4, TokenKind.signInAttempt.hasFormat(parts[0]),
            let milliseconds = Int64(parts[1]), milliseconds >= 0,
            let path = Self.decoded(parts[3]), path.hasPrefix("/")
        else { return nil }
        token = String(parts[0])
        begunAt = Timestamp(millisecondsSinceEpoch: milliseconds)
        confirmed = parts[2].isEmpty ? nil : SessionID(parsing: parts[2])
        next = path
    }

    /// The cookie's value.
    package var cookieValue: String {
        "\(token).\(begunAt.millisecondsSinceEpoch).\(confirmed?.rawValue ?? "").\(Self.encoded(Array(next.utf8)))"
    }

    /// What comes back with the browser. It covers the whole cookie.
    var state: String { derive("state \(cookieValue)") }
    /// What comes back in the ID token.
    var nonce: String { derive("nonce") }
    /// What the code is traded with.
    var codeVerifier: String { derive("verifier") }
    /// The verifier's digest.
    var codeChallenge: String { Self.encoded(Array(SHA256.hash(data: Array(codeVerifier.utf8)))) }

    /// What the store knows it by once it is used.
    package var digest: [UInt8] { Array(SHA256.hash(data: Array(token.utf8))) }

    /// Whether a state is this attempt's. Compares in constant time.
    func has(state presented: String) -> Bool { constantTimeEquals(Array(state.utf8), Array(presented.utf8)) }

    /// Whether it began less than ten minutes ago.
    func isAlive(at now: Timestamp) -> Bool {
        let age = begunAt.duration(to: now)
        return age < Self.life && age >= .zero - SessionPolicy.clockTolerance
    }

    private func derive(_ label: String) -> String {
        let key = SymmetricKey(data: Array(token.utf8))
        let code = HMAC<SHA256>.authenticationCode(for: Array("keybearer v1 sign-in \(label)".utf8), using: key)
        return Self.encoded(Array(code))
    }

    /// Base64 for URLs, without padding.
    private static func encoded(_ bytes: [UInt8]) -> String {
        Data(bytes).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }

    private static func decoded(_ text: some StringProtocol) -> String? {
        let plain = String(text).replacing("-", with: "+").replacing("_", with: "/")
        let padding = String(repeating: "=", count: (4 - plain.utf8.count % 4) % 4)
        return Data(base64Encoded: plain + padding).flatMap { String(data: $0, encoding: .utf8) }
    }

    /// Nothing but what it is.
    package var description: String { "sign-in attempt" }
    package var customMirror: Mirror { Mirror(self, children: []) }
}
