import Foundation
import Keybearer
import TestSupport
import Testing

@testable import KeybearerCLI

extension EndToEndTests {
    /// `keybearer webhook listen`: ``WebhookListener`` on a real socket, and what a ``ReceivedWebhook`` shows.
    @Suite struct WebhookListenTests {
        private static let now = Timestamp(millisecondsSinceEpoch: 1_767_225_600_000)
        private static let secret = WebhookSecret.random(from: .system)

        private static func received(
            _ body: String, signedBy signer: WebhookSecret = secret, changing changed: [String: String] = [:]
        ) -> ReceivedWebhook {
            let signed = WebhookSignature.headers(
                id: WebhookMessageID(rawValue: "evt_1"), at: now, body: Array(body.utf8), secrets: [signer])
            let headers = Dictionary(signed.map { ($0.name.lowercased(), $0.value) }) { $1 }
                .merging(changed) { $1 }
            return ReceivedWebhook(body: Array(body.utf8), secret: secret, arrivedAt: now) { headers[$0] }
        }

        @Test func aGenuineMessageIsShownWithItsBody() {
            let message = Self.received(#"{"event":"invoice.paid"}"#)
            #expect(
                message.text
                    == "2026-01-01T00:00:00.000Z  invoice.paid  evt_1  signature ok\n" + #"{"event":"invoice.paid"}"#)
            let other = WebhookSecret.random(from: .system)
            #expect(Self.received("{}", signedBy: other).problem == .wrongSignature)
        }

        @Test func whoeverSendsOneWritesNoVerdictAndNoLine() {
            let message = Self.received(
                "a\u{1B}[2J\nsignature ok",
                changing: ["webhook-id": "evt_1  signature ok", "webhook-signature": "v1,x"])
            #expect(message.event == "-" && message.id == "-" && message.problem == .wrongSignature)
            let lines = message.text.components(separatedBy: "\n")
            #expect(lines.count == 2 && !lines[0].contains("signature ok") && !lines[1].contains("\u{1B}"))
        }

        @Test func itAnswersPrintsAndVerifiesWhatArrives() throws {
            let files = try InstallationFiles()
            let file = files.directory.file("secret")
            try Data(Self.secret.text.utf8).write(to: URL(fileURLWithPath: file))
            let listener = try ServerProcess(
                ["webhook", "listen", "--port", "0", "--secret-file", file, "--fail", "503"], logs: files.directory)
            let body = #"{"event":"invoice.paid"}"#
            let headers = WebhookSignature.headers(
                id: WebhookMessageID(rawValue: "evt_7"), at: Clocks.system.wall(), body: Array(body.utf8),
                secrets: [Self.secret])
            let message = RawRequest.text(
                "POST", "/in", headers: headers.map { ($0.name, $0.value) }, body: body)
            let response = try RawConnection(port: listener.port).roundTrip(message)
            #expect(response.status == 503)
            let get = try RawConnection(port: listener.port).roundTrip(RawRequest.text("GET", "/"))
            #expect(get.status == 405)
            #expect(listener.terminate() == 0)
            #expect(listener.text.contains("invoice.paid  evt_7  signature ok\n\(body)"))
            #expect(!listener.text.contains(Self.secret.text))
        }
    }
}
