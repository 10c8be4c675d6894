import Foundation
import Keybearer

/// A message that arrived at a ``WebhookListener``, and how it is shown: whoever sends one writes neither a verdict nor
/// a line of its own.
struct ReceivedWebhook: Sendable {
    /// When it arrived.
    let arrivedAt: Timestamp
    /// The name of its event; a dash where the body is no JSON with one.
    let event: String
    /// The id that its header names; a dash for none, and for what is no id.
    let id: String
    /// Why it is not believed; nil where it is.
    let problem: WebhookSignature.Problem?
    private let body: [UInt8]

    /// The most bytes of an id that is shown.
    private static let mostIDBytes = 100

    /// Looks at a message.
    ///
    /// - Parameter header: the value of a header by its name in lower case.
    init(body: [UInt8], secret: WebhookSecret, arrivedAt: Timestamp, header: (String) -> String?) {
        self.body = body
        self.arrivedAt = arrivedAt
        event = Self.event(of: body) ?? "-"
        id = header("webhook-id").flatMap { Self.isID($0) ? $0 : nil } ?? "-"
        problem = WebhookSignature.problem(body: body, secrets: [secret], now: arrivedAt, header: header)
    }

    /// Two lines: what it is and whether it is believed; then its body, in which what is not seen is written out, line
    /// breaks among it.
    var text: String {
        let verdict = problem?.rawValue ?? "signature ok"
        let content = VisibleText.escaped(String(decoding: body, as: UTF8.self), keepsLines: false)
        return "\(arrivedAt)  \(event)  \(id)  \(verdict)\n\(content)"
    }

    private struct Content: Decodable {
        let event: String
    }

    /// The event of a body; nil where there is no name of one.
    private static func event(of body: [UInt8]) -> String? {
        let content = try? JSONDecoder().decode(Content.self, from: Data(body))
        return content.flatMap { EventName(parsing: $0.event) }?.rawValue
    }

    /// With a space in it, an id could read as a verdict.
    private static func isID(_ text: String) -> Bool {
        (1...mostIDBytes).contains(text.utf8.count) && text.utf8.allSatisfy { $0 > 32 && $0 < 127 }
    }
}
