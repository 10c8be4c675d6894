import ArgumentParser
import Keybearer

/// `keybearer master-key …`: the ring of master keys.
struct MasterKeyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "master-key", abstract: "Rotate or export the master keys.",
        subcommands: [Rotate.self, Export.self])

    struct Rotate: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a new master key, seal every Secret Key anew, and retire the old one.",
            discussion: """
                Works while a server runs and changes no Secret Key. After an interruption run it again. Back up the
                master-key file before and after: an older backup of the database needs the master keys of its time.
                """)
        @OptionGroup(title: SettingOptions.title) var options: SettingOptions

        func run() async throws {
            let bootstrap = try await Bootstrap(options)
            // Two at a time would write over each other's master keys.
            let lock = try bootstrap.masterKeyFile.lock()
            defer { lock.release() }
            try await bootstrap.withInstallation { services in
                let ring = try await services.masterKeys.rotate(
                    save: { try bootstrap.masterKeyFile.save($0, replacing: true) },
                    progress: { Console.report("Sealed \($0) keys anew.") })
                Console.report("The master key in use is \(ring.activeID?.rawValue ?? "none").")
            }
        }
    }

    struct Export: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print the ring of master keys to standard output. The text is secret.")
        @OptionGroup(title: SettingOptions.title) var options: SettingOptions
        @Flag(name: .long, help: "Only what verifying needs: a node with it can neither show nor make a key.")
        var verifyOnly = false

        func run() async throws {
            let ring = try await Bootstrap(options).masterKeyFile.load()
            let exported = verifyOnly ? try KeyVault(ring: ring).verifyOnlyRing() : ring
            Console.output(MasterKeyFormat.format(exported))
            Console.report("Keep this secret, in a file with mode 0600.")
        }
    }
}
