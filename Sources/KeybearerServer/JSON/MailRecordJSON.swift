import Keybearer

/// A mail of the outbox, as a person's data has it.
package struct MailRecordJSON: JSONNoun {
    let id: String
    let kind: String
    let to: String
    let at: Timestamp
    /// `waiting`, `sent`, `void` or `given-up`.
    let state: String

    init(_ mail: OutgoingMail) {
        (id, kind, to, at) = (mail.id.rawValue, mail.kind.rawValue, mail.recipient.rawValue, mail.at)
        state = mail.outcome?.rawValue ?? "waiting"
    }

    package static let noun = "MailRecord"
    package static let sample = MailRecordJSON(
        OutgoingMail(
            id: MailID(rawValue: "mail_a1"), kind: .keyRegenerated, userID: UserID(rawValue: "usr_a1"),
            recipient: EmailAddress(normalised: "ada@example.com"), at: Timestamp(millisecondsSinceEpoch: 0),
            nextAttemptAt: nil, outcome: .sent))
}

/// A device that is remembered, without what it is known by.
package struct DeviceJSON: JSONNoun {
    let firstSeenAt: Timestamp
    let lastSeenAt: Timestamp
    /// When the key was first shown there.
    let revealedAt: Nullable<Timestamp>

    init(_ device: RememberedDevice) {
        (firstSeenAt, lastSeenAt) = (device.firstSeenAt, device.lastSeenAt)
        revealedAt = Nullable(device.revealedAt)
    }

    package static let noun = "Device"
    package static let sample = DeviceJSON(
        RememberedDevice(
            firstSeenAt: Timestamp(millisecondsSinceEpoch: 0), lastSeenAt: Timestamp(millisecondsSinceEpoch: 0),
            revealedAt: nil))
}
