import ArgumentParser
import Keybearer

/// `keybearer`: runs the server and manages what it serves.
@main
struct KeybearerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keybearer",
        abstract: "Gives every user of a product one Secret Key, and decides on every request whether it may pass.",
        discussion: """
            Settings come from flags, then KEYBEARER_… variables, then the file that --config names.
            Secrets go to standard output, notes to standard error. Exit codes follow sysexits(3).
            """,
        version: Version.current,
        subcommands: [
            InitCommand.self, ServeCommand.self, DemoCommand.self, UserCommand.self, ServiceAccountCommand.self,
            KeyCommand.self, UsageCommand.self, BulkCommand.self, WorkspaceCommand.self, PlanCommand.self,
            WebhookCommand.self, EventCommand.self, MasterKeyCommand.self, OperatorTokenCommand.self,
            BackupCommand.self, RestoreCommand.self, MigrateCommand.self, NodeCommand.self, MailCommand.self,
            AuditCommand.self, TopCommand.self, DoctorCommand.self, ScanCommand.self,
        ])

    /// Runs the command that was named, and turns failures into one line for a person and an exit code.
    static func main() async {
        var command: any ParsableCommand
        do {
            command = try parseAsRoot(CallArguments.read())
        } catch let failure as CommandFailure {
            Failure.exit(with: failure)
        } catch {
            Failure.exit(withParsing: error)
        }
        do {
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch {
            Failure.exit(with: error)
        }
    }
}

/// The version of this program.
enum Version {
    static let current = KeybearerVersion.current
}
