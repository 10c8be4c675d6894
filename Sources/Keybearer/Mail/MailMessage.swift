import Foundation

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

/// One mail as the mail program reads it: RFC 5322, with the subject by RFC 2047 and the body in base64, so that every
/// line is short and nothing in a name begins another header.
package struct MailMessage: Sendable, Hashable {
    /// The most bytes that a mail may have: all of them fit a pipe.
    package static let mostBytes = 48 * 1_024

    /// To whom it goes.
    package let recipient: EmailAddress
    /// What it says.
    package let text: MailText

    /// Puts a mail together.
    package init(to recipient: EmailAddress, _ text: MailText) {
        self.recipient = recipient
        self.text = text
    }

    /// Headers and body, lines ended by a line feed, as programs of the `sendmail` convention want it.
    ///
    /// - Parameters:
    ///   - sender: the name and the address that it comes from.
    ///   - id: names the mail, also where it is sent again: receivers can tell the second one.
    /// - Throws: where an address cannot be in a header, or the mail is too long: no attempt will do better.
    package func encoded(
        from sender: MailSender, id: String, at time: Timestamp
    ) throws(MailFailure) -> [UInt8] {
        guard let recipient = Self.mailbox(recipient.rawValue), let from = Self.mailbox(sender.address.rawValue) else {
            throw MailFailure("The recipient or mail-from cannot stand in a mail’s header.", isFinal: true)
        }
        let domain = from.split(separator: "@").last.map(String.init) ?? "localhost"
        let headers = [
            "From: \(Self.encodedWord(sender.name)) <\(from)>", "To: <\(recipient)>",
            "Subject: \(Self.encodedWord(text.subject))", "Date: \(Self.date(time))", "Message-ID: <\(id)@\(domain)>",
            // No vacation notice answers it.
            "Auto-Submitted: auto-generated", "MIME-Version: 1.0", "Content-Type: text/plain; charset=utf-8",
            "Content-Transfer-Encoding: base64",
        ]
        let body = Data(text.body.utf8).base64EncodedString(options: [.lineLength76Characters, .endLineWithLineFeed])
        let bytes = Array((headers.joined(separator: "\n") + "\n\n" + body + "\n").utf8)
        guard bytes.count <= Self.mostBytes else {
            throw MailFailure("The mail is longer than \(Self.mostBytes) bytes.", isFinal: true)
        }
        return bytes
    }

    /// An address that is nothing but an address wherever it stands; nil for one with anything that would begin something
    /// new in a header. Addresses of earlier versions are less strict than ``EmailAddress``.
    private static func mailbox(_ address: String) -> String? {
        let parts = address.split(separator: "@", omittingEmptySubsequences: false)
        let isPlain = address.unicodeScalars.allSatisfy {
            !$0.properties.isWhitespace && !$0.isControl && !"<>()[]\\,;:\"".unicodeScalars.contains($0)
        }
        return parts.count == 2 && parts.allSatisfy { !$0.isEmpty } && isPlain && address.utf8.count <= 254
            ? address : nil
    }

    /// Words of at most 75 characters, each of whole characters of UTF-8; letters, digits and spaces stay as they are.
    static func encodedWord(_ text: String) -> String {
        let clean = String(
            String.UnicodeScalarView(text.unicodeScalars.map { $0.isControl ? " " : $0 }).prefix(200))
        let isPlain = clean.utf8.allSatisfy {
            (48...57).contains($0) || (65...90).contains($0) || (97...122).contains($0) || $0 == 32
        }
        if isPlain, (1...60).contains(clean.utf8.count), clean.first != " ", clean.last != " " { return clean }
        var (words, current) = ([String](), "")
        for scalar in clean.unicodeScalars {
            if current.utf8.count + UTF8.width(scalar) > 45 {
                words.append(current)
                current = ""
            }
            current.unicodeScalars.append(scalar)
        }
        words.append(current)
        return words.map { "=?UTF-8?B?\(Data($0.utf8).base64EncodedString())?=" }.joined(separator: "\n ")
    }

    /// `Thu, 01 Jan 2026 00:00:00 +0000`
    static func date(_ time: Timestamp) -> String { String(time.httpDate.dropLast(3)) + "+0000" }
}
