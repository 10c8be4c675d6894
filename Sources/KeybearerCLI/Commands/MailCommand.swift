import ArgumentParser
import Keybearer
import KeybearerServer

/// `keybearer mail …`: the outbox.
struct MailCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mail", abstract: "Look at the mails that wait to be sent, and try whether mails go out.",
        subcommands: [List.self, Show.self, Retry.self, Drop.self, Test.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the mails of the last days, the newest first.",
            discussion: """
                Mails that were sent are listed for 2 days and those that were given up for 7, without what they said.
                """)
        @OptionGroup(title: SettingOptions.title) var options: SettingOptions
        @Option(name: .long, help: "How many are listed at most: from 1 to 10000.") var limit = 100
        @Flag(name: .long, help: "Print JSON.") var json = false

        func validate() throws {
            guard (1...10_000).contains(limit) else { throw ValidationError("--limit wants a number from 1 to 10000.") }
        }

        func run() async throws {
            try await Bootstrap(options).withInstallation(usesKeys: false) { services in
                let mails = try await services.mails.list(limit: limit)
                if json { return try Console.json(mails.map { MailJSON($0) }) }
                Console.table(
                    ["ID", "KIND", "TO", "HAPPENED", "STATE", "ATTEMPTS", "NEXT"],
                    mails.map { mail in
                        [
                            mail.id.rawValue, mail.kind.rawValue, mail.recipient.rawValue, mail.at.description,
                            mail.outcome?.rawValue ?? "waiting", "\(mail.attempts)",
                            mail.nextAttemptAt?.description ?? "",
                        ]
                    })
            }
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show a mail of the outbox as JSON, with what was wrong at the last attempt.",
            discussion: "It never has a link: links are made when a mail is sent.")
        @OptionGroup(title: SettingOptions.title) var options: SettingOptions
        @Argument(help: "The mail: mail_….") var mail: String

        func run() async throws {
            try await Bootstrap(options).withInstallation(usesKeys: false) { services in
                try Console.json(MailJSON(try await services.mails.find(MailID(rawValue: mail))))
            }
        }
    }

    struct Retry: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Let a mail be tried now that waits or was given up; a running server sends it.")
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
        static let configuration = CommandConfiguration(abstract: "Remove a mail from the outbox without sending it.")
        @OptionGroup(title: SettingOptions.title) var options: SettingOptions
        @Argument(help: "The mail: mail_….") var mail: String

        func run() async throws {
            try await Bootstrap(options).withInstallation(usesKeys: false) { services in
                try await services.mails.drop(MailID(rawValue: mail))
                Console.report("\(mail) is removed.")
            }
        }
    }

    struct Test: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Send a test mail now, past the outbox, and say what the mail program says.",
            discussion: "Ends with 69 when the mail program does not take it.")
        @OptionGroup(title: SettingOptions.title) var options: SettingOptions
        @Argument(help: "Where it goes.") var address: String

        func run() async throws {
            let settings = try await Bootstrap(options).settings
            guard let delivery = try settings.mail.delivery(settings.server.brand) else {
                throw CommandFailure(.configuration, "no mails are sent: set mail-command and mail-from")
            }
            guard let recipient = EmailAddress(address) else {
                throw CommandFailure(.usage, "'\(address)' is no e-mail address")
            }
            do {
                try await delivery.test(to: recipient)
            } catch {
                throw CommandFailure(.unavailable, "the mail was not taken: \(error)")
            }
            Console.report("The mail program took the mail. Look whether it arrives.")
        }
    }
}

/// A mail as `--json` prints it.
struct MailJSON: Encodable {
    let id: String
    let kind: String
    let to: String
    let user: String?
    let invitation: String?
    let at: String
    let address: String?
    let userAgent: String?
    let state: String
    let attempts: Int
    let nextAttemptAt: String?
    let problem: String?

    init(_ mail: OutgoingMail) {
        (id, kind, to) = (mail.id.rawValue, mail.kind.rawValue, mail.recipient.rawValue)
        (user, invitation) = (mail.userID?.rawValue, mail.invitationID?.rawValue)
        (at, address, userAgent) = (mail.at.description, mail.address?.textIfAny, mail.userAgent)
        (state, attempts) = (mail.outcome?.rawValue ?? "waiting", mail.attempts)
        (nextAttemptAt, problem) = (mail.nextAttemptAt?.description, mail.problem)
    }
}
