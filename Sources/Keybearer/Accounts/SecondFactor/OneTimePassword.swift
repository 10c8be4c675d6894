import Crypto

/// The codes that an authenticator app shows: RFC 6238 with HMAC-SHA-1, six digits and steps of 30 seconds, which every
/// app knows. Prints as nothing but its kind.
package struct OneTimePassword: Sendable, Equatable, CustomStringConvertible, CustomReflectable {
    /// How many bytes a new secret has: as many as SHA-1 returns, by RFC 4226.
    static let secretLength = 20
    private static let stepLength: Int64 = 30_000

    /// Shared with the app.
    let secret: [UInt8]

    init(secret: [UInt8]) {
        self.secret = secret
    }

    /// A new secret.
    package static func random(from source: RandomSource) -> OneTimePassword {
        OneTimePassword(secret: source.bytes(secretLength))
    }

    /// Accepts the secret as a page shows it; nil when it cannot be one that was made here.
    package init?(parsing text: some StringProtocol) {
        guard text.utf8.count == 32, let bytes = Base32.decode(text), bytes.count == Self.secretLength else {
            return nil
        }
        secret = bytes
    }

    /// The secret as people type it into an app.
    package var text: String { Base32.encode(secret) }

    /// What an app scans.
    ///
    /// - Parameters:
    ///   - issuer: what the app calls the service.
    ///   - account: what it calls the account.
    package func uri(issuer: String, account: String) -> String {
        let (issuer, account) = (Self.escape(issuer), Self.escape(account))
        return "otpauth://totp/\(issuer):\(account)?secret=\(text)&issuer=\(issuer)"
    }

    /// How many steps have passed since 1970.
    static func step(at time: Timestamp) -> Int64 { time.millisecondsSinceEpoch / stepLength }

    /// The code of a step.
    func code(at step: Int64, digits: Int = 6) -> String {
        let counter = withUnsafeBytes(of: step.bigEndian) { Array($0) }
        let hash = Array(
            HMAC<Insecure.SHA1>.authenticationCode(for: counter, using: SymmetricKey(data: secret)))
        let offset = Int(hash[hash.count - 1] & 15)
        let number = hash[offset..<offset + 4].reduce(UInt32(0)) { $0 << 8 | UInt32($1) } & 0x7FFF_FFFF
        let modulus = (0..<digits).reduce(UInt32(1)) { value, _ in value * 10 }
        let text = String(number % modulus)
        return String(repeating: "0", count: digits - text.utf8.count) + text
    }

    /// The step whose code this is: the present one, or the one before or behind it, for the app's clock is not ours.
    ///
    /// All three are compared, each in constant time.
    ///
    /// - Parameter code: as people type it, with spaces or without.
    func step(of code: String, at time: Timestamp) -> Int64? {
        let digits = code.utf8.filter { $0 != 32 }
        guard digits.count == 6, digits.allSatisfy({ (48...57).contains($0) }) else { return nil }
        let now = Self.step(at: time)
        var found: Int64?
        for step in [now + 1, now - 1, now] where constantTimeEquals(Array(self.code(at: step).utf8), digits) {
            found = step
        }
        return found
    }

    private static func escape(_ text: String) -> String {
        text.utf8.map { byte -> String in
            let isPlain = (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
            if isPlain || "-_.~".utf8.contains(byte) { return String(UnicodeScalar(byte)) }
            let digits = String(byte, radix: 16, uppercase: true)
            return "%" + (digits.utf8.count == 1 ? "0" : "") + digits
        }.joined()
    }

    /// Nothing but what it is.
    package var description: String { "one-time password" }
    package var customMirror: Mirror { Mirror(self, children: []) }
}
