import Foundation

/// The headers that let a receiver know that a message is from here and is not old.
///
/// Standard Webhooks 1.0 (`webhook-id`, `webhook-timestamp`, `webhook-signature`), and beside it `X-TDC-Signature`, for those
/// who verify by hand. Every attempt has a time and signatures of its own; the id and the body are the message's.
package enum WebhookSignature {
    /// The headers of one attempt.
    ///
    /// - Parameters:
    ///   - id: the message's.
    ///   - time: when the attempt begins; whole seconds count.
    ///   - secrets: the current one first; behind it the one that a rotation has replaced, while it still counts.
    package static func headers(
        id: WebhookMessageID, at time: Timestamp, body: [UInt8], secrets: [WebhookSecret]
    ) -> [(name: String, value: String)] {
        let seconds = String(time.millisecondsSinceEpoch / 1_000)
        let standard = secrets.map { "v1," + Data($0.code(over: content(id, seconds, body))).base64EncodedString() }
        let plain = secrets.map { "v1=sha256=" + hexadecimal($0.code(over: Array("\(seconds).".utf8) + body)) }
        return [
            ("webhook-id", id.rawValue), ("webhook-timestamp", seconds),
            ("webhook-signature", standard.joined(separator: " ")),
            ("X-TDC-Signature", (["t=\(seconds)"] + plain).joined(separator: ",")),
        ]
    }

    /// Why a message is not believed.
    package enum Problem: String, Sendable, Hashable {
        case missingHeader = "A header is missing: webhook-id, webhook-timestamp or webhook-signature."
        case noTime = "webhook-timestamp is no number of seconds."
        case tooOld = "The message was signed more than five minutes ago, or the clocks differ."
        case tooNew = "The message is signed for a time to come: the clocks differ."
        case wrongSignature = "No signature was made with this secret over this id, time and body."
    }

    /// How far the time of a message may be from the receiver's.
    package static let tolerance: Duration = .seconds(5 * 60)

    /// Verifies the headers of Standard Webhooks as a receiver does.
    ///
    /// - Parameters:
    ///   - header: the value of a header by its name in lower case.
    ///   - now: nil accepts every age, as for a sample that was kept.
    /// - Returns: why it is not believed; nil where it is.
    package static func problem(
        body: [UInt8], secrets: [WebhookSecret], now: Timestamp?, header: (String) -> String?
    ) -> Problem? {
        guard let id = header("webhook-id"), let seconds = header("webhook-timestamp"),
            let signatures = header("webhook-signature")
        else { return .missingHeader }
        guard let number = Int64(seconds), (0..<100_000_000_000).contains(number) else { return .noTime }
        if let now {
            let age = Timestamp(millisecondsSinceEpoch: number * 1_000).duration(to: now)
            if age > tolerance { return .tooOld }
            if age < .zero - tolerance { return .tooNew }
        }
        let content = content(WebhookMessageID(rawValue: id), seconds, body)
        let expected = secrets.map { $0.code(over: content) }
        let isOurs = signatures.split(separator: " ").contains { each in
            guard each.hasPrefix("v1,"), let code = Data(base64Encoded: String(each.dropFirst(3))) else { return false }
            return expected.contains { constantTimeEquals($0, Array(code)) }
        }
        return isOurs ? nil : .wrongSignature
    }

    private static func content(_ id: WebhookMessageID, _ seconds: String, _ body: [UInt8]) -> [UInt8] {
        Array("\(id.rawValue).\(seconds).".utf8) + body
    }

    private static func hexadecimal(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}

/// Names a message, the same on every attempt and replay: `evt_` and a UUID.
package struct WebhookMessageID: Sendable, Hashable, CustomStringConvertible {
    /// Its text.
    package let rawValue: String

    /// Wraps one.
    package init(rawValue: String) {
        self.rawValue = rawValue
    }

    /// Makes a new one: `evt_` and a UUID of version 4.
    package static func random(from random: RandomSource) -> WebhookMessageID {
        var bytes = random.bytes(16)
        bytes[6] = bytes[6] & 0x0F | 0x40
        bytes[8] = bytes[8] & 0x3F | 0x80
        var text = "evt_"
        for (index, byte) in bytes.enumerated() {
            if [4, 6, 8, 10].contains(index) { text += "-" }
            text += (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }
        return WebhookMessageID(rawValue: text)
    }

    package var description: String { rawValue }
}
