import ArgumentParser
import Foundation
import Keybearer
import KeybearerPostgres
import KeybearerSQL
import KeybearerSQLite
import KeybearerServer

/// `keybearer doctor`: says what is wrong and how to mend it.
struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Check settings, master keys and database; say what is wrong and how to mend it.",
        discussion: "Ends with 0 when nothing is broken (there may be warnings), with 78 otherwise.")

    @OptionGroup var options: SettingOptions
    @Flag(name: .long, help: "Print JSON.") var json = false

    func run() async throws {
        var findings: [Finding] = []
        do {
            let assembly = try await Assembly(options)
            findings.append(Finding(.ok, "settings", "All settings are accepted."))
            findings += Examination(assembly: assembly).settings()
            findings += await Examination(assembly: assembly).keysAndDatabase()
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
    let assembly: Assembly

    func settings() -> [Finding] {
        var findings: [Finding] = []
        let server = assembly.settings.server
        let isLocal = server.host == "localhost" || IPAddress(server.host)?.isLoopback == true
        if server.tls == nil && !isLocal && server.trustedProxies.isEmpty {
            findings.append(
                Finding(
                    .broken, "https",
                    "The server listens on \(server.host) without TLS and trusts no proxy: every request is refused.",
                    mend: "Set tls-certificate and tls-key, or list the proxy in trusted-proxies."))
        }
        if let url = server.publicURL, url.hasPrefix("http://"), !isLocal {
            findings.append(
                Finding(
                    .warning, "public-url", "It begins with http://, but plain HTTP is refused.", mend: "Use https://.")
            )
        }
        if server.publicURL == nil {
            findings.append(
                Finding(
                    .warning, "public-url", "It is not set: the examples in the dashboard name localhost.",
                    mend: "Set it to the address that clients use."))
        }
        return findings
    }

    func keysAndDatabase() async -> [Finding] {
        var canOpen = false
        var findings: [Finding] = []
        do {
            let ring = try assembly.masterKeyFile.load()
            findings.append(Finding(.ok, "master keys", "\(ring.entries.count) in \(assembly.masterKeyFile.path)."))
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
                ? "chmod 600 \(assembly.masterKeyFile.path)" : "Restore the file from its backup, with mode 0600."
            findings.append(Finding(.broken, "master keys", message, mend: mend))
        }
        do {
            let store = try assembly.openStore(.commandLine)
            defer { try? store.close() }
            findings += try await database(store, canOpen: canOpen)
        } catch {
            let message =
                (error as? CommandFailure)?.message ?? (error as? KeybearerError)?.message ?? "It cannot be opened."
            let isMissing = (error as? CommandFailure)?.status == .noInput
            findings.append(
                Finding(
                    .broken, "database", message,
                    mend: isMissing
                        ? "Make it with 'keybearer init', or restore a backup."
                        : "Do what the message says; restore a backup where the data is damaged."))
        }
        return findings
    }

    /// - Parameter canOpen: whether the master keys at hand are meant to open Secret Keys.
    private func database(_ store: SQLStore, canOpen: Bool) async throws -> [Finding] {
        var findings: [Finding] = []
        if let file = store.file {
            findings += try FileExamination(store: file, location: assembly.settings.database).findings()
        } else if let server = store.server {
            findings += try await PostgresExamination(store: server, assembly: assembly).findings()
        }
        if canOpen, let deployment = try? assembly.makeDeployment(store: store, role: .command) {
            let unopenable = try await deployment.masterKeys.unopenableKeys()
            findings.append(
                unopenable.isEmpty
                    ? Finding(.ok, "keys", "Every Secret Key opens with these master keys.")
                    : Finding(
                        .broken, "keys", "\(unopenable.count) Secret Keys do not open with these master keys.",
                        mend: "Add the master key they were sealed under, as a line 'master mk_… …', from its backup."))
        }
        let nodes = try await store.nodes()
        findings.append(Finding(.ok, "servers", nodes.isEmpty ? "None is registered." : "\(nodes.count) registered."))
        return findings
    }
}
