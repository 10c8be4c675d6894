import ArgumentParser
import Keybearer
import KeybearerServer

/// `keybearer audit …`: what was done, and whether the log of it is whole.
struct AuditCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit", abstract: "Look at the audit log, copy it, and check that it is whole.",
        subcommands: [List.self, Export.self, Head.self, Verify.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List what was done, the newest first.")
        @OptionGroup(title: SettingOptions.title) var options: SettingOptions
        @Option(name: .long, help: "What was done to this account: its e-mail address or id.") var user: String?
        @Option(name: .long, help: "Where the list goes on, as the part before says.") var cursor: String?
        @Option(name: .long, help: "How many, 1 to 1000.") var limit = 100
        @Flag(name: .long, help: "Print JSON.") var json = false

        func validate() throws {
            guard (1...1_000).contains(limit) else { throw ValidationError("--limit is \(limit); it is 1 to 1000.") }
        }

        func run() async throws {
            try await Bootstrap(options).withInstallation(usesKeys: false) { services in
                var userID: UserID?
                // An account that is gone has events still.
                if let user {
                    let isID = user.hasPrefix(UserID.prefix)
                    userID = isID ? UserID(rawValue: user) : try await services.accounts.find(user).user.id
                }
                let page = try await services.directory.auditEvents(of: userID, cursor: cursor, limit: limit)
                if json {
                    try Console.json(page.entries.map { AuditEventJSON($0) })
                } else {
                    Console.table(
                        ["TIME", "ACTION", "ACTOR", "USER", "WORKSPACE", "ADDRESS", "DETAIL"],
                        page.entries.map { AuditCommand.row(AuditEventJSON($0)) })
                }
                if let next = page.nextCursor { Console.report("There are more: --cursor \(next)") }
            }
        }
    }

    struct Export: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print the events with a position as JSON Lines, the oldest first.",
            discussion: "To go on later, give the last position that was printed.")
        @OptionGroup(title: SettingOptions.title) var options: SettingOptions
        @Option(name: .long, help: "Only what comes after this position.") var after: Int64 = 0

        func validate() throws {
            guard after >= 0 else { throw ValidationError("--after is \(after); positions start at 1.") }
        }

        func run() async throws {
            try await Bootstrap(options).withInstallation { services in
                _ = try await services.audit.head()
                try await services.audit.export(after: after) { events in
                    for event in events { try Console.jsonLine(AuditEventJSON(event)) }
                }
            }
        }
    }

    struct Head: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print the position and the seal of the last event.",
            discussion: """
                Keep it where whoever can write to the database cannot: 'keybearer audit verify --head' then finds a log
                whose end was cut off. It is no secret.
                """)
        @OptionGroup(title: SettingOptions.title) var options: SettingOptions

        func run() async throws {
            try await Bootstrap(options).withInstallation { services in
                guard let head = try await services.audit.head() else {
                    throw CommandFailure(.noInput, "no event has a seal yet")
                }
                Console.output("\(head)")
            }
        }
    }

    struct Verify: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Check the seals of all events; name the first that was changed, is missing or was moved.")
        @OptionGroup(title: SettingOptions.title) var options: SettingOptions
        @Option(name: .long, help: "What 'keybearer audit head' printed before: the log must still hold it.")
        var head: String?

        func run() async throws {
            let known = head.map { AuditHead($0) }
            if let head, case .some(.none) = known {
                throw CommandFailure(.usage, "'\(head)' is not what 'keybearer audit head' prints")
            }
            try await Bootstrap(options).withInstallation { services in
                let report = try await services.audit.checkSeals(against: known ?? nil)
                if let fault = report.fault { throw CommandFailure(.dataError, "\(fault)") }
                let erased = report.erased == 0 ? "" : " Of \(report.erased), personal data was erased."
                let begin = report.begin == 0 ? "" : " Events up to position \(report.begin) were removed by age."
                Console.output("\(report.count) events are as they were sealed.\(erased)\(begin)")
                if report.isHeadTooOld {
                    Console.report("The event of the head was removed because of its age: it proves nothing any more.")
                }
            }
        }
    }

    private static func row(_ event: AuditEventJSON) -> [String] {
        [
            "\(event.at)", event.action, event.actor, event.user.value ?? "", event.workspace.value ?? "",
            event.address.value ?? "", event.detail.value ?? "",
        ]
    }
}

extension Finding {
    /// How many of the newest events are checked: all of them can take a minute.
    static let checkedEvents = 10_000

    /// Whether the audit log is whole.
    static func auditLog(_ audit: AuditService) async throws -> Finding {
        let (sealed, erased, waiting) = try await audit.counts()
        let report = try await audit.checkSeals(newest: checkedEvents)
        if let fault = report.fault {
            return Finding(
                .broken, "audit log", "\(fault)",
                mend:
                    "Find out who can write to the database, and keep a copy of it. 'keybearer audit verify' checks all."
            )
        }
        let checked =
            report.count == sealed ? "\(sealed) events are" : "The newest \(report.count) of \(sealed) events are"
        return Finding(
            .ok, "audit log",
            "\(checked) as they were sealed, \(erased) with personal data erased; \(waiting) have no seal yet.")
    }
}
