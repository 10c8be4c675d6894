import Foundation

/// One mail as plain text: RFC 5322, with the subject by RFC 2047 and the body in base64, so that every line is short and
/// ASCII alone, whatever the product and people are called.
package struct MailMessage: Sendable, Hashable {
    /// To whom it goes.
    package let recipient: EmailAddress
    /// One line. Line breaks and other control characters become spaces.
    package let subject: String
    /// Lines end with a line feed.
    package let body: String

    /// Puts a mail together.
    package init(to recipient: EmailAddress, subject: String, body: String) {
        self.recipient = recipient
        self.subject = subject
        self.body = body
    }

    /// What the mail program reads: headers and body, lines ended by a line feed, as programs of the `sendmail` convention
    /// want it.
    ///
    /// - Parameters:
    ///   - sender: the name and the address that it comes from.
    ///   - id: names the mail, also where it is sent again: receivers can tell the second one.
    /// - Returns: nil where the recipient cannot stand in a header.
    package func encoded(from sender: MailSender, id: String, at time: Timestamp) -> [UInt8]? {
        guard let recipient = Self.mailbox(recipient.rawValue), let from = Self.mailbox(sender.address.rawValue) else {
            return nil
        }
        let domain = from.split(separator: "@").last.map(String.init) ?? "localhost"
        let headers = [
            "From: \(Self.encodedWord(sender.name)) <\(from)>", "To: <\(recipient)>",
            "Subject: \(Self.encodedWord(subject))", "Date: \(Self.date(time))", "Message-ID: <\(id)@\(domain)>",
            // No vacation notice answers it, and no list takes it.
            "Auto-Submitted: auto-generated", "MIME-Version: 1.0", "Content-Type: text/plain; charset=utf-8",
            "Content-Transfer-Encoding: base64",
        ]
        let text = Data(body.utf8).base64EncodedString(options: [.lineLength76Characters, .endLineWithLineFeed])
        return Array((headers.joined(separator: "\n") + "\n\n" + text + "\n").utf8)
    }

    /// An address that is nothing but an address wherever it stands; nil for one with white space, control characters,
    /// brackets, quotes or anything else that would begin something new in a header.
    private static func mailbox(_ address: String) -> String? {
        let parts = address.split(separator: "@", omittingEmptySubsequences: false)
        let isPlain = address.unicodeScalars.allSatisfy {
            !$0.properties.isWhitespace && $0.value > 32 && $0.value != 127 && !"<>()[]\\,;:\"".unicodeScalars.contains($0)
        }
        return parts.count == 2 && parts.allSatisfy { !$0.isEmpty } && isPlain && !address.hasPrefix("-") ? address : nil
    }

    /// Words of at most 75 characters, each of whole characters of UTF-8; plain text where that is enough.
    static func encodedWord(_ text: String) -> String {
        let clean = String(String.UnicodeScalarView(text.unicodeScalars.map { $0.properties.generalCategory == .control ? " " : $0 }))
        let isPlain = clean.utf8.allSatisfy { (48...57).contains($0) || (65...90).contains($0) || (97...122).contains($0) || $0 == 32 }
        if isPlain, clean.utf8.count <= 60 { return clean }
        var (words, current) = ([String](), "")
        for character in clean.unicodeScalars {
            let next = current + String(Character(character))
            if next.utf8.count > 45 {
                words.append(current)
                current = String(Character(character))
            } else {
                current = next
            }
        }
        words.append(current)
        return words.map { "=?UTF-8?B?\(Data($0.utf8).base64EncodedString())?=" }.joined(separator: "\n ")
    }

    /// `Thu, 01 Jan 2026 00:00:00 +0000`
    private static func date(_ time: Timestamp) -> String {
        let seconds = time.millisecondsSinceEpoch / 1_000
        let days = seconds / 86_400
        let names = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        // RFC 3339: 2026-01-01T00:00:00.000Z
        let parts = time.description.split { "-T:.Z".contains($0) }.map(String.init)
        let month = Int(parts[1]).map { months[$0 - 1] } ?? ""
        return "\(names[Int(days % 7)]), \(parts[2]) \(month) \(parts[0]) \(parts[3]):\(parts[4]):\(parts[5]) +0000"
    }
}

/// Where mails come from.
package struct MailSender: Sendable, Hashable {
    /// What people know the product by.
    package let name: String
    /// The address.
    package let address: EmailAddress

    /// Puts both together.
    package init(name: String, address: EmailAddress) {
        self.name = name
        self.address = address
    }
}
