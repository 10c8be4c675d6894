import Foundation
import Synchronization
import TestSupport

@testable import Keybearer
@testable import KeybearerServer

/// Takes mails as a mail program does, and keeps them.
final class MailRecorder: MailTransport {
    private let state = Lock<(received: [ReceivedMail], failure: MailFailure?)>(([], nil))

    func send(_ message: [UInt8]) async throws(MailFailure) {
        let failure = state.withLock { state in
            if state.failure == nil { state.received.append(ReceivedMail(message)) }
            return state.failure
        }
        if let failure { throw failure }
    }

    /// Refuses mails from now on; nil takes them again.
    func fail(with failure: MailFailure?) { state.withLock { $0.failure = failure } }

    /// What came since the last time, ordered by recipient and subject.
    func take() -> [ReceivedMail] {
        state.withLock { state in
            defer { state.received = [] }
            return state.received.sorted { ($0.to, $0.subject) < ($1.to, $1.subject) }
        }
    }

    /// How a server sends mails to this.
    func delivery(_ brand: Brand) throws -> MailDelivery {
        MailDelivery(
            sender: MailSender(name: "Acme", address: EmailAddress(normalised: "keys@yourapp.com")),
            composer: try MailTemplates(brand: brand, publicURL: try PublicURL(parsing: "https://yourapp.com")),
            transport: self)
    }
}

/// A mail as its receiver reads it.
struct ReceivedMail: Sendable, Equatable {
    let headers: [String: String]
    let body: String

    init(_ message: [UInt8]) {
        let text = String(decoding: message, as: UTF8.self)
        let parts = text.components(separatedBy: "\n\n")
        let lines = parts[0].replacingOccurrences(of: "\n ", with: " ").split(separator: "\n")
        headers = Dictionary(
            lines.map { line in
                let pair = line.split(separator: ":", maxSplits: 1)
                return (String(pair[0]), pair.count == 2 ? String(pair[1].dropFirst()) : "")
            }, uniquingKeysWith: { "\($0) AND \($1)" })
        let data = Data(base64Encoded: parts.dropFirst().joined(), options: .ignoreUnknownCharacters)
        body = data.map { String(decoding: $0, as: UTF8.self) } ?? ""
    }

    var to: String { (headers["To"] ?? "").trimmingCharacters(in: CharacterSet(charactersIn: "<>")) }

    /// The subject, decoded.
    var subject: String {
        (headers["Subject"] ?? "").split(separator: " ").map { word -> String in
            guard word.hasPrefix("=?UTF-8?B?"), word.hasSuffix("?="),
                let data = Data(base64Encoded: String(word.dropFirst(10).dropLast(2)))
            else { return word + " " }
            return String(decoding: data, as: UTF8.self)
        }.joined().trimmingCharacters(in: .whitespaces)
    }

    /// The path and query of the one link with a code; nil where there is none.
    var link: String? {
        body.split(whereSeparator: \.isWhitespace).first { $0.contains("?code=") }
            .map { String($0.dropFirst("https://yourapp.com".count)) }
    }

    /// The code of that link.
    var code: String? { link.flatMap { $0.components(separatedBy: "?code=").last } }
}
