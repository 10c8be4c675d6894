import ArgumentParser
import Keybearer
import KeybearerServer

/// The commands that change an account's record, as the operator API does.
extension UserCommand {
    struct Rename: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Change what a person is called.")
        @OptionGroup(title: SettingOptions.title) var options: SettingOptions
        @OptionGroup var selection: Selection
        @Argument(help: "The new name.") var name: String

        func run() async throws {
            try await UserCommand.change(selection, options) { $0.name = name }
        }
    }

    struct SetEmail: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "set-email", abstract: "Change an account's e-mail address. It counts as verified.")
        @OptionGroup(title: SettingOptions.title) var options: SettingOptions
        @OptionGroup var selection: Selection
        @Argument(help: "The new e-mail address.") var email: String

        func run() async throws {
            try await UserCommand.change(selection, options) { ($0.email, $0.isEmailVerified) = (email, true) }
        }
    }

    struct SetExternalID: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "set-external-id", abstract: "Change what your product calls a person.")
        @OptionGroup(title: SettingOptions.title) var options: SettingOptions
        @OptionGroup var selection: Selection
        @Argument(help: "The new external id; leave it out to have none.") var externalID: String?
        @Flag(
            name: .long,
            help: "Take over an account whose address is not verified: its password, sessions and key go.")
        var adopt = false

        func run() async throws {
            let change: MemberChange<ExternalID> =
                try externalID.map { .set(try UserCommand.externalID($0)) } ?? .cleared
            try await UserCommand.change(selection, options) { ($0.externalID, $0.adopts) = (change, adopt) }
        }
    }

    struct EndSessions: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "end-sessions", abstract: "End all of an account's sessions.")
        @OptionGroup(title: SettingOptions.title) var options: SettingOptions
        @OptionGroup var selection: Selection

        func run() async throws {
            try await Bootstrap(options).withInstallation(usesKeys: false) { services in
                let account = try await services.accounts.find(selection.user)
                try await services.writes.endSessions(of: account.user.id, by: .commandLine)
                Console.report("All sessions of \(account.user.label) have ended.")
            }
        }
    }

    struct ResetTOTP: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "reset-totp",
            abstract:
                "Turn an account's two-step sign-in off, for a person who has lost the app and the recovery codes.")
        @OptionGroup(title: SettingOptions.title) var options: SettingOptions
        @OptionGroup var selection: Selection

        func run() async throws {
            try await Bootstrap(options).withInstallation(usesKeys: false) { services in
                let account = try await services.accounts.find(selection.user)
                try await services.writes.resetSecondFactor(of: account.user.id, by: .commandLine)
                Console.report("Two-step sign-in of \(account.user.label) is off: the password alone signs in.")
            }
        }
    }

    /// Reads an external id.
    static func externalID(_ text: String) throws -> ExternalID {
        guard let id = ExternalID(parsing: text) else { throw ValidationError("the external id: \(ExternalID.rule)") }
        return id
    }

    /// Changes the record of an account, and shows it.
    static func change(
        _ selection: Selection, _ options: SettingOptions, _ change: @Sendable @escaping (inout UserInput) -> Void
    ) async throws {
        try await Bootstrap(options).withInstallation(usesKeys: false) { services in
            let account = try await services.accounts.find(selection.user)
            let changed = try await Self.change(account, services, change).user
            Console.report(
                "\(changed.id) is \(changed.name), \(changed.address?.rawValue ?? "a service account")"
                    + (changed.externalID.map { ", \($0) in your product." } ?? "."))
        }
    }

    /// Changes the record of an account.
    static func change(
        _ account: Account, _ services: Services, _ change: (inout UserInput) -> Void
    ) async throws -> Account {
        var input = UserInput()
        change(&input)
        return try await services.writes.patch(.id(account.user.id), input, by: .commandLine)
    }
}
