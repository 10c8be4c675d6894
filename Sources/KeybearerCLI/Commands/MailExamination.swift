import Foundation
import Keybearer
import KeybearerSQL

/// What `doctor` says about mails.
struct MailExamination: Sendable {
    let bootstrap: Bootstrap

    private static let subject = "mail"

    /// How old a mail may be that waits before `doctor` warns.
    private static let patience: Duration = .seconds(1_800)

    /// Whether there is a mail program.
    func settings() -> Finding {
        let mail = bootstrap.settings.mail
        guard let command = mail.command else {
            return Finding(
                .ok, Self.subject,
                "No mails are sent (mail-command is not set): links are shown for copying, and nobody resets a password."
            )
        }
        guard let sender = mail.sender, mail.publicURL != nil else {
            return Finding(
                .broken, Self.subject,
                "mail-command is set without mail-from or public-url: the server does not start.",
                mend: "Set all three.")
        }
        let program = command.first ?? ""
        guard FileManager.default.isExecutableFile(atPath: program) else {
            return Finding(
                .broken, Self.subject, "There is no program \(program) that could be run (mail-command).",
                mend: "Install it, or set mail-command to the path of another one.")
        }
        return Finding(.ok, Self.subject, "Mails go out through \(program), from \(sender).")
    }

    /// How mails fare. Nothing where none are sent and none wait.
    func outbox(_ store: any Store) async throws -> [Finding] {
        let counts = try await store.mailCounts()
        if !bootstrap.settings.mail.isOn, counts.waiting == 0 { return [] }
        var findings: [Finding] = []
        let givenUp = counts.ended[.givenUp] ?? 0
        if givenUp > 0 {
            findings.append(
                Finding(
                    .warning, "outbox", "\(givenUp) mails of the last 7 days were given up.",
                    mend: "Look at them with 'keybearer mail list' and 'mail show'; 'mail retry' sends one again."))
        }
        let oldest = counts.oldest.map { $0.duration(to: Clocks.system.wall()) } ?? .zero
        if counts.failing > 0 || oldest > Self.patience {
            findings.append(
                Finding(
                    .warning, "outbox", "\(counts.waiting) mails wait, \(counts.failing) of them failed before.",
                    mend: "Try 'keybearer mail test ADDRESS', and look at one with 'keybearer mail show'."))
        }
        if counts.waiting >= MailRules.mostWaiting {
            findings.append(
                Finding(
                    .broken, "outbox", "It is full: what happens now is told by no mail.",
                    mend: "Have the mail program take mails, or drop what waits with 'keybearer mail drop'."))
        }
        if findings.isEmpty { findings = [Finding(.ok, "outbox", "\(counts.waiting) mails wait; none failed.")] }
        return findings
    }
}
