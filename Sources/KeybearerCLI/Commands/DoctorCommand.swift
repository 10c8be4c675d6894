import ArgumentParser
import Foundation
import Keybearer
import KeybearerPostgres
import KeybearerSQL
import KeybearerSQLite
import KeybearerServer

/// `keybearer doctor`: says what is wrong and how to fix it.
struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Check settings, master keys and database; say what is wrong and how to fix it.",
        discussion: "Ends with 0 when nothing is broken (there may be warnings), with 78 otherwise.")

    @OptionGroup(title: SettingOptions.title) var options: SettingOptions
    @Flag(name: .long, help: "Print JSON.") var json = false

    func run() async throws {
        var findings: [Finding] = []
        do {
            let bootstrap = try await Bootstrap(options)
            findings.append(Finding(.ok, "settings", "All settings are accepted."))
            findings += Examination(bootstrap: bootstrap).settings()
            findings.append(MailExamination(bootstrap: bootstrap).settings())
            findings += await ProviderExamination(bootstrap: bootstrap).findings()
            findings += await Examination(bootstrap: bootstrap).keysAndDatabase()
        } catch let error as SettingError {
            findings.append(
                Finding(.broken, "settings", error.description, mend: "Change the setting to what it wants."))
        }
        if json {
            try Console.json(findings)
        } else {
            for finding in findings { Console.output(finding.text) }
        }
        if findings.contains(where: { $0.state == .broken }) { throw ExitCode(Failure.Status.configuration.rawValue) }
    }
}

/// One thing that was looked at.
struct Finding: Encodable {
    /// How it was found.
    enum State: String, Encodable {
        case ok
        case warning
        case broken
    }

    let state: State
    let subject: String
    let message: String
    let mend: String?

    init(_ state: State, _ subject: String, _ message: String, mend: String? = nil) {
        self.state = state
        self.subject = subject
        self.message = message
        self.mend = mend
    }

    var text: String {
        let mark = state.rawValue + String(repeating: " ", count: 8 - state.rawValue.count)
        return "\(mark) \(subject): \(message)" + (mend.map { "\n         mend: \($0)" } ?? "")
    }
}

/// Looks at one part after another.
private struct Examination {
    let bootstrap: Bootstrap

    private static func isLocal(_ host: String) -> Bool {
        host == "localhost" || IPAddress(host)?.isLoopback == true
    }

    private static func withoutHTTPS(_ what: String, _ host: String) -> Finding {
        Finding(
            .broken, "https", "\(what) listens on \(host) without TLS and trusts no proxy: every request is refused.",
            mend: "Set tls-certificate and tls-key, or list the proxy in trusted-proxies.")
    }

    func settings() -> [Finding] {
        var findings: [Finding] = []
        let server = bootstrap.settings.server
        let isLocal = Self.isLocal(server.host)
        if server.tls == nil, server.trustedProxies.isEmpty {
            if !isLocal { findings.append(Self.withoutHTTPS("The server", server.host)) }
            if case .network(let host, _) = server.operatorAddress, !Self.isLocal(host) {
                findings.append(Self.withoutHTTPS("The operator API", host))
            }
        }
        if server.publicURL?.origin.scheme == .http, !isLocal {
            findings.append(
                Finding(
                    .warning, "public-url", "It begins with http://, but plain HTTP is refused.", mend: "Use https://.")
            )
        }
        if server.publicURL == nil {
            findings.append(
                Finding(
                    .warning, "public-url",
                    "It is not set: the examples in the dashboard name the address that the browser used, such as localhost.",
                    mend: "Set it to the address that clients use."))
        }
        return findings
    }

    func keysAndDatabase() async -> [Finding] {
        var canOpen = false
        var findings: [Finding] = []
        do {
            let ring = try bootstrap.masterKeyFile.load()
            findings.append(Finding(.ok, "master keys", "\(ring.entries.count) in \(bootstrap.masterKeyFile.path)."))
            canOpen = ring.activeID != nil
            if !canOpen {
                findings.append(
                    Finding(.warning, "master keys", "They only verify: this node can show and make no key."))
            }
        } catch {
            let message = (error as? CommandFailure)?.message ?? "The file cannot be read."
            let isOpenToOthers = (error as? CommandFailure)?.status == .noPermission
            let mend =
                isOpenToOthers
                ? "chmod 600 \(bootstrap.masterKeyFile.path), and chown it to the user who runs keybearer."
                : "Restore the file from its backup, with mode 0600."
            findings.append(Finding(.broken, "master keys", message, mend: mend))
        }
        do {
            let store = try bootstrap.openStore(.commandLine)
            defer { try? store.close() }
            findings += try await database(store, canOpen: canOpen)
        } catch {
            findings.append(Self.broken(error))
        }
        return findings
    }

    /// A database that cannot be used. Only where there is none, one is to be made.
    private static func broken(_ error: any Error) -> Finding {
        if let failure = error as? CommandFailure {
            return Finding(
                .broken, "database", failure.message, mend: "Make it with 'keybearer init', or restore a backup.")
        }
        guard let error = error as? KeybearerError else {
            return Finding(.broken, "database", "It cannot be opened.", mend: "Look in the log of 'keybearer serve'.")
        }
        return Finding(
            .broken, "database", error.storeFailure.map { "\($0.summary)." } ?? error.message,
            mend: error.storeFailure?.advice ?? "Look in the log of 'keybearer serve'.")
    }

    /// - Parameter canOpen: whether the master keys at hand are meant to open Secret Keys.
    private func database(_ store: SQLStore, canOpen: Bool) async throws -> [Finding] {
        var findings: [Finding] = []
        do {
            try await store.checkReadiness()
            try await store.checkWritable()
        } catch {
            // It can be read, so the rest is looked at all the same.
            findings.append(Self.broken(error))
        }
        if let file = store.file {
            findings += try FileExamination(store: file, location: bootstrap.settings.database).findings()
        } else if let server = store.server {
            findings += try await PostgresExamination(store: server, bootstrap: bootstrap).findings()
        }
        let services = try? bootstrap.makeServices(store: store, role: .command)
        if let services, let refusal = try await ringRefusal(services) {
            findings.append(refusal)
        } else if canOpen, let services {
            findings.append(.keys(unopenable: try await services.masterKeys.unopenableKeys().count))
            findings.append(try await .auditLog(services.audit))
        }
        findings.append(.twins(try await store.twins()))
        findings.append(try await regenerateByKey(store))
        findings += try await MailExamination(bootstrap: bootstrap).outbox(store)
        let nodes = try await store.nodes()
        findings.append(Finding(.ok, "servers", nodes.isEmpty ? "None is registered." : "\(nodes.count) registered."))
        return findings
    }

    /// Whether a client that holds only its Secret Key may regenerate it, and what decides that.
    private func regenerateByKey(_ store: SQLStore) async throws -> Finding {
        let isOpen = try await bootstrap.isRegenerateByKeyOpen(store)
        let source = bootstrap.settings.isRegenerateByKeyOpen == nil ? "the database says so" : "the setting says so"
        guard isOpen else {
            return Finding(.ok, "regenerate-by-key", "It is closed (\(source)): a Secret Key cannot make the next one.")
        }
        return Finding(
            .warning, "regenerate-by-key",
            "It is open (\(source)): whoever steals a Secret Key can make the next one and lock its owner out of the API.",
            mend: "Set regenerate-by-key to closed; clients revoke a key with POST /api/v1/key/revoke.")
    }

    /// Whether the master keys at hand are those of the database; nil when they are.
    private func ringRefusal(_ services: Services) async throws -> Finding? {
        do {
            try await services.ring.require(.refuse)
            return nil
        } catch let refusal as RingRefusal {
            return Finding(
                .broken, "keys", refusal.problems.map(\.summary).joined(separator: " "),
                mend: refusal.problems.map(\.advice).joined(separator: " "))
        }
    }
}
