import Crypto
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
package struct WebhookMessageID: RawRepresentable, Sendable, Hashable, CustomStringConvertible {
    /// Its text.
    package let rawValue: String

    /// Wraps one.
    package init(rawValue: String) {
        self.rawValue = rawValue
    }

    /// Makes a new one: `evt_` and a UUID of version 7, which orders messages by their time.
    ///
    /// - Parameter place: which one of those that are made together it is; they are in this order.
    package static func random(
        from random: RandomSource, at time: Timestamp, place: Int = 0
    ) -> WebhookMessageID {
        var bytes = random.bytes(16)
        for index in 0..<6 {
            bytes[index] = UInt8(truncatingIfNeeded: time.millisecondsSinceEpoch >> ((5 - index) * 8))
        }
        (bytes[6], bytes[7]) = (UInt8(truncatingIfNeeded: place >> 8), UInt8(truncatingIfNeeded: place))
        return WebhookMessageID(uuid: bytes, version: 7)
    }

    /// The one of an audit event, the same whenever it is asked for: a UUID of version 8, made of the event's id.
    package init(of event: EventID) {
        self.init(uuid: Array(SHA256.hash(data: Array("webhook \(event)".utf8)).prefix(16)), version: 8)
    }

    /// - Parameter bytes: 16.
    private init(uuid bytes: [UInt8], version: UInt8) {
        var text = "evt_"
        for (index, byte) in bytes.enumerated() {
            if [4, 6, 8, 10].contains(index) { text += "-" }
            let byte = index == 6 ? byte & 0x0F | version << 4 : index == 8 ? byte & 0x3F | 0x80 : byte
            text += (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }
        rawValue = text
    }

    /// Accepts text that a client sent; nil when it cannot be one.
    package init?(parsing text: String) {
        guard text.hasPrefix("evt_"), text.utf8.count == 40,
            text.utf8.dropFirst(4).allSatisfy({ (48...57).contains($0) || (97...102).contains($0) || $0 == 45 })
        else { return nil }
        rawValue = text
    }

    package var description: String { rawValue }
}
