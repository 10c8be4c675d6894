import ArgumentParser
import Foundation
import Keybearer
import KeybearerSQL
import KeybearerSQLite
import KeybearerServer

/// `keybearer demo`: a server with a ready account, to look at in a browser immediately.
struct DemoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "Serve an embedded database with a ready account, on this machine only.",
        discussion: """
            Plans switch at once and password hashes are cheap: never put a demonstration on a network. The account's
            password is made up anew at every start.
            """)

    @Option(name: .long, help: "Where the demonstration keeps its database and master keys.")
    var directory = ".keybearer-demo"

    @Option(name: .long, help: "The port to listen on; 0 takes a free one.")
    var port = 8080

    @Option(name: .long, help: "Where to serve the gate too: an internal host and port, or unix: and a path.")
    var gateAddress: String?

    @Option(name: .long, help: "The hourly limit of the Pro plan.")
    var hourlyLimit = Plan.defaultHourlyLimit

    @Option(name: .long, help: "How log lines look: text or json.")
    var logFormat = "text"

    func validate() throws {
        guard (0...65_535).contains(port) else { throw ValidationError("--port is \(port); it is 0 to 65535.") }
    }

    private static let email = "ada@example.com"

    func run() async throws {
        try FileManager.default.createDirectory(
            atPath: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        var options = try SettingOptions.parse([])
        options.database = directory + "/keybearer.db"
        options.masterKeyFile = directory + "/keybearer.keys"
        options.address = "127.0.0.1:\(port)"
        options.passwordCost = "12"
        options.signUp = "open"
        options.logFormat = logFormat
        options.gateAddress = gateAddress
        var settings = try LoadedSettings(options, isDemonstration: true)
        settings.services.isPlanSwitchOpen = true
        guard case .sqlite(let path) = settings.database else {
            throw CommandFailure(.usage, "'\(directory)' is not taken for a directory; name another one")
        }
        let bootstrap = Bootstrap(settings: settings)
        if !bootstrap.masterKeyFile.isThere {
            try bootstrap.masterKeyFile.save(try MasterKeyRing.generate(from: .system), replacing: false)
        }
        let store = try SQLiteStore.openDemonstration(path: path)
        let services = try bootstrap.makeServices(store: store, role: .command)
        try await bootstrap.requireRing(services, .claim)
        let password = String(decoding: RandomSource.system.base62(count: 12), as: UTF8.self)
        let account = try await Self.readyAccount(services, password: password, hourlyLimit: hourlyLimit)
        let key = try await services.keys.reveal(account.user.id, by: .commandLine).characters
        // Whoever closes the terminal ends the demonstration.
        try await bootstrap.serve(store, reloadsAtHangup: false) { ports in
            Console.output(
                Self.greeting(at: bootstrap.settings.server, port: ports.server, password: password, key: key))
        }
    }

    /// The account of the demonstration, with a workspace on Pro and one for testing on Free.
    private static func readyAccount(_ services: Services, password: String, hourlyLimit: Int) async throws
        -> Account
    {
        let pro = PlanID(rawValue: "pro")
        if let plan = try await services.workspaces.plans().first(where: { $0.id == pro }),
            plan.hourlyLimit != hourlyLimit
        {
            try await services.workspaces.putPlan(
                Plan(
                    id: plan.id, name: plan.name, features: plan.features, hourlyLimit: hourlyLimit,
                    billingURL: plan.billingURL, position: plan.position),
                by: .commandLine)
        }
        do {
            let account = try await services.accounts.find(email)
            try await services.accounts.setPassword(of: account.user, to: Password(password), by: .commandLine)
            return account
        } catch let error as KeybearerError where error.code == .notFound {
            let account = try await services.accounts.create(
                name: "Ada", email: email, password: Password(password), by: .commandLine)
            for access in account.workspaces {
                try await services.workspaces.setPlan(pro, of: access.workspace.id, by: .commandLine)
            }
            _ = try await services.workspaces.create(name: "Testing", owner: account.user.id, by: .commandLine)
            return account
        }
    }

    private static func greeting(
        at server: KeybearerServer.Settings, port: Int, password: String, key: String
    ) -> String {
        let base = "http://localhost:\(port)\(server.publicURL?.path ?? "")"
        return """

            \(server.brand.productName) is running. This is a demonstration: keep it on this machine.

              Dashboard   \(base)/
              E-mail      \(email)
              Password    \(password)

            Try the key:

              curl -H "Authorization: Bearer \(key)" \(base)/api/v1/me

            Stop with Ctrl-C.
            """
    }
}
