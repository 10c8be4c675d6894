import Foundation
import TestSupport
import Testing

@testable import Keybearer

/// ``MailMessage``: nothing that people and clients choose begins another header, and every line is short ASCII.
@Suite struct MailMessageTests {
    private static let sender = MailSender(name: "Acme", address: EmailAddress(normalised: "keys@acme.example"))

    private func text(
        to recipient: String = "ada@example.com", subject: String = "Hello", body: String = "Text\n",
        name: String = "Acme"
    ) throws -> String {
        let message = MailMessage(
            to: EmailAddress(normalised: recipient), MailText(subject: subject, body: body))
        let sender = MailSender(name: name, address: Self.sender.address)
        return String(
            decoding: try message.encoded(from: sender, id: "mail_a1", at: Samples.start), as: UTF8.self)
    }

    @Test("A plain mail is written as RFC 5322 has it")
    func plain() throws {
        #expect(
            try text() == """
                From: Acme <keys@acme.example>
                To: <ada@example.com>
                Subject: Hello
                Date: Thu, 01 Jan 2026 00:00:00 +0000
                Message-ID: <mail_a1@acme.example>
                Auto-Submitted: auto-generated
                MIME-Version: 1.0
                Content-Type: text/plain; charset=utf-8
                Content-Transfer-Encoding: base64

                VGV4dAo=

                """)
    }

    @Test(
        "Whatever a subject, a name or a body contains, the headers are the same, and lines are short",
        arguments: [
            "Hi\nBcc: eve@example.com", "Hi\r\nBcc: eve@example.com\r\n\r\nBody", "Hi\u{2028}Bcc: x\u{85}y\u{b}z\u{c}",
            "=?UTF-8?B?QmNjOiBldmU=?=", "\u{202e}moc.elpmaxe\u{202c}", "é\u{0}ü, \"x\" <eve@example.com>",
            String(repeating: "Ω", count: 500), String(repeating: "long ", count: 400), "", " ",
            "\n.\nQUIT\n", "👩‍👩‍👧‍👦 family",
        ])
    func hostile(_ hostile: String) throws {
        let text = try text(subject: hostile, body: hostile + "\n.\n" + hostile, name: hostile)
        let parts = text.components(separatedBy: "\n\n")
        #expect(parts.count == 2)
        let names = parts[0].split(separator: "\n").filter { !$0.hasPrefix(" ") }.map { $0.prefix { $0 != ":" } }
        #expect(
            names == [
                "From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type",
                "Content-Transfer-Encoding",
            ])
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            #expect(line.utf8.count <= 200 && line.utf8.allSatisfy { (32...126).contains($0) }, "\(line)")
            #expect(line != ".")
        }
        let body = try #require(Data(base64Encoded: parts[1], options: .ignoreUnknownCharacters))
        #expect(String(decoding: body, as: UTF8.self) == hostile + "\n.\n" + hostile)
    }

    @Test("An encoded word has at most 75 characters, each of whole characters")
    func words() {
        for text in ["Grüße", String(repeating: "é😀", count: 60)] {
            let words = MailMessage.encodedWord(text).components(separatedBy: "\n ")
            #expect(words.allSatisfy { $0.utf8.count <= 75 && $0.hasPrefix("=?UTF-8?B?") && $0.hasSuffix("?=") })
            let decoded = words.map { word in
                Data(base64Encoded: String(word.dropFirst(10).dropLast(2))).flatMap {
                    String(data: $0, encoding: .utf8)
                }
            }
            #expect(decoded.allSatisfy { $0 != nil })
            #expect(text.hasPrefix(decoded.compactMap { $0 }.joined()))
        }
    }

    @Test(
        "An address that would begin something new is refused for good",
        arguments: ["a b@example.com", "a@x@example.com", "a,b@example.com", "a\n@example.com", "<a@example.com", "a"])
    func addresses(_ address: String) {
        #expect {
            try text(to: address)
        } throws: {
            ($0 as? MailFailure)?.isFinal == true
        }
    }

    @Test("A mail that does not fit a pipe is refused for good")
    func tooLong() {
        #expect {
            try text(body: String(repeating: "x", count: MailMessage.mostBytes))
        } throws: {
            ($0 as? MailFailure)?.isFinal == true
        }
    }
}
