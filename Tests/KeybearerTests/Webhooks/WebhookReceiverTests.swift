import Foundation
import TestSupport
import Testing

@testable import Keybearer

/// The receiver in Swift of docs/webhooks.md, which is the file `WebhookReceiverExample`: it believes the messages that
/// ``WebhookSignature`` signs, and no others.
@Suite struct WebhookReceiverTests {
    private let samples = Samples(seed: 71)
    private let body = Array(#"{"id":"evt_1","data":{"object":{"name":"Zoë"}}}"#.utf8)

    private func headers(_ secrets: [WebhookSecret], age: Duration = .zero) -> [String: String] {
        let at = Timestamp(millisecondsSinceEpoch: Int64(Date().timeIntervalSince1970 * 1_000))
        let signed = WebhookSignature.headers(
            id: WebhookMessageID(rawValue: "evt_1"), at: at.advanced(by: .zero - age), body: body, secrets: secrets)
        return Dictionary(signed.map { ($0.name, $0.value) }) { $1 }
    }

    @Test("The documents have it word for word")
    func isInTheDocuments() throws {
        let code = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "WebhookReceiverExample.swift")
        let page = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../../docs/webhooks.md")
        let text = try String(contentsOf: page.standardizedFileURL, encoding: .utf8)
        #expect(text.contains("```swift\n" + (try String(contentsOf: code, encoding: .utf8)) + "```\n"))
    }

    @Test("It believes what is genuine alone")
    func believes() {
        let (secret, other) = (
            WebhookSecret.random(from: samples.random), WebhookSecret.random(from: samples.random)
        )
        func believes(
            _ headers: [String: String], secret text: String? = nil, body: [UInt8]? = nil
        ) -> Bool {
            isGenuine(secret: text ?? secret.text, headers: headers, body: Data(body ?? self.body))
        }
        #expect(believes(headers([secret])))
        #expect(believes(headers([secret]), secret: String(secret.text.dropFirst("whsec_".count))))
        #expect(believes(headers([other, secret])) && believes(headers([secret, other])))
        #expect(believes(headers([secret], age: .seconds(240))))
        #expect(!believes(headers([secret], age: .seconds(360))) && !believes(headers([secret], age: .seconds(-360))))
        #expect(!believes(headers([secret]), body: body + [0x20]) && !believes(headers([other])))
        #expect(!believes(headers([secret]), secret: "") && !believes(headers([])))
        for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
            #expect(!believes(headers([secret]).filter { $0.key != name }), "without \(name)")
            #expect(!believes(headers([secret]).merging([name: "v1 v1, 17,AAAA ,"]) { $1 }), "another \(name)")
        }
    }
}
