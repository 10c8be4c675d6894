import ArgumentParser
import Keybearer
import KeybearerServer

/// `keybearer mail …`: the outbox.
struct MailCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mail", abstract: "Look at the mails that wait to be sent.",
        subcommands: [List.self, Retry.self, Drop.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the mails that wait or were given up, oldest first, at most 1,000.")
        @OptionGroup(title: SettingOptions.title) var options: SettingOptions
        @Flag(name: .long, help: "Print JSON.") var json = false

        func run() async throws {
            try await Bootstrap(options).withInstallation(usesKeys: false) { services in
                let mails = try await services.mails.list(limit: 1_000)
                if json { return try Console.json(mails.map { MailJSON($0) }) }
                Console.table(
                    ["ID", "KIND", "TO", "HAPPENED", "ATTEMPTS", "NEXT", "PROBLEM"],
                    mails.map { mail in
                        [
                            mail.id.rawValue, mail.kind.rawValue, mail.recipient.rawValue, mail.at.description,
                            "\(mail.attempts)", mail.nextAttemptAt?.description ?? "given up", mail.problem ?? "",
                        ]
                    })
            }
        }
    }

    struct Retry: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Let a mail be tried now; a running server sends it.")
        @OptionGroup(title: SettingOptions.title) var options: SettingOptions
        @Argument(help: "The mail: mail_….") var mail: String

        func run() async throws {
            try await Bootstrap(options).withInstallation(usesKeys: false) { services in
                try await services.mails.retry(MailID(rawValue: mail))
                Console.report("\(mail) is tried now.")
            }
        }
    }

    struct Drop: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Remove a mail without sending it.")
        @OptionGroup(title: SettingOptions.title) var options: SettingOptions
        @Argument(help: "The mail: mail_….") var mail: String

        func run() async throws {
            try await Bootstrap(options).withInstallation(usesKeys: false) { services in
                try await services.mails.drop(MailID(rawValue: mail))
                Console.report("\(mail) is removed.")
            }
        }
    }
}

/// A mail as `--json` prints it.
struct MailJSON: Encodable {
    let id: String
    let user: String
    let kind: String
    let to: String
    let at: String
    let attempts: Int
    let nextAttemptAt: String?
    let problem: String?

    init(_ mail: OutgoingMail) {
        (id, user, kind, to) = (mail.id.rawValue, mail.userID.rawValue, mail.kind.rawValue, mail.recipient.rawValue)
        (at, attempts, nextAttemptAt) = (mail.at.description, mail.attempts, mail.nextAttemptAt?.description)
        problem = mail.problem
    }
}
