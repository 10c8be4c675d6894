import Crypto

/// The device that a request comes from, as far as it can be told: what a notice by mail of a new one depends on, and
/// nothing else.
///
/// A browser that signs in gets a cookie with a random number that stays there when the session ends. Where a request has
/// none, the browser's name and the client's network stand for the device. Whoever deletes the cookie is a new device;
/// whoever copies it is none.
package enum KnownDevice {
    /// The digest of the device of the request that this task answers; nil where no device is told apart.
    @TaskLocal package static var current: [UInt8]?

    /// How many devices an account remembers: those seen last.
    package static let mostPerAccount = 50
    /// How long one is remembered that is not seen.
    package static let memory: Duration = .seconds(400 * 86_400)
    /// The characters of the cookie's number: 256 bits.
    package static let cookieLength = 43

    /// The number of a new cookie.
    package static func makeCookie(random: RandomSource) -> String {
        String(decoding: random.base62(count: cookieLength), as: UTF8.self)
    }

    /// Whether a text can be such a number.
    package static func isCookie(_ text: some StringProtocol) -> Bool {
        text.utf8.count == cookieLength && text.utf8.allSatisfy(Base62.contains)
    }

    /// What the store knows a device by that has a cookie.
    package static func digest(ofCookie cookie: some StringProtocol) -> [UInt8] { digest("cookie \(cookie)") }

    /// What the store knows one by that has none.
    package static func digest(browser: String, at address: IPAddress) -> [UInt8] {
        digest("browser \(browser) \(address.throttlingNetwork)")
    }

    private static func digest(_ text: String) -> [UInt8] { Array(SHA256.hash(data: Array(text.utf8))) }
}

/// What an account remembers of a device, without what it is known by.
package struct RememberedDevice: Sendable, Hashable {
    /// When somebody first signed in, or saw the key, on it.
    package let firstSeenAt: Timestamp
    /// When that was last.
    package let lastSeenAt: Timestamp
    /// When the key was first shown on it; nil for never.
    package let revealedAt: Timestamp?

    /// Puts the parts together.
    package init(firstSeenAt: Timestamp, lastSeenAt: Timestamp, revealedAt: Timestamp?) {
        self.firstSeenAt = firstSeenAt
        self.lastSeenAt = lastSeenAt
        self.revealedAt = revealedAt
    }
}
