import Foundation
import TestSupport
import Testing

extension EndToEndTests {
    /// A ``Setting`` that the ``SettingReader`` does not accept stops the start and says everything that is needed to
    /// fix it (``SettingNames``).
    @Suite struct SettingTests {
        /// A setting with a value that it refuses, and a piece of what it says that it wants.
        struct Refused: Sendable, CustomTestStringConvertible {
            let name: String
            let value: String
            let wants: String
            /// Whether what was got is repeated: a connection string can hold a password.
            var isShown = true
            var testDescription: String { name }
            var variable: String { "KEYBEARER_" + name.uppercased().replacingOccurrences(of: "-", with: "_") }
        }

        /// Every setting; the test before the others compares the names with those that the program knows.
        static let all = [
            Refused(name: "address", value: "localhost", wants: "a host and a port"),
            Refused(name: "tls-certificate", value: "/nowhere/chain.pem", wants: "PEM file with the certificate"),
            Refused(name: "tls-key", value: "/nowhere/key.pem", wants: "PEM file with the certificate's private key"),
            Refused(name: "public-url", value: "yourapp.com/keys", wants: "https://yourapp.com/developers"),
            Refused(name: "api-url", value: "/api", wants: "https://api.yourapp.com"),
            Refused(name: "product-name", value: " Acme", wants: "a name of 1 to 60 characters"),
            Refused(name: "product-logo", value: "/nowhere/logo.svg", wants: "a PNG, WebP or SVG file"),
            Refused(name: "support-url", value: "http://yourapp.com/help", wants: "https://yourapp.com/help"),
            Refused(name: "accent-color", value: "teal", wants: "a colour such as #0b6357"),
            Refused(name: "database", value: "", wants: "the path of an SQLite file", isShown: false),
            Refused(name: "database-connections", value: "0", wants: "a whole number from 1 to 200"),
            Refused(name: "database-wait", value: "2h", wants: "0s to 1h"),
            Refused(name: "master-key-file", value: "", wants: "the file with the master keys"),
            Refused(name: "key-prefix", value: "Tdc", wants: "2 to 16 lower-case letters"),
            Refused(name: "portal-return-urls", value: "/settings", wants: "addresses such as"),
            Refused(name: "embed-origins", value: "https://*.yourapp.com", wants: "origins such as https://"),
            Refused(
                name: "oidc-issuer", value: "http://login.example", wants: "the issuer of an OpenID Connect provider"),
            Refused(name: "oidc-client-id", value: "", wants: "the client id that the provider gave"),
            Refused(name: "oidc-client-secret-file", value: "", wants: "the file with the client secret"),
            Refused(name: "oidc-name", value: "", wants: "what people call the provider"),
            Refused(name: "oidc-email-verified", value: "yes", wants: "true, string or absent"),
            Refused(name: "oidc-provision", value: "yes", wants: "open or closed"),
            Refused(name: "mail-command", value: "sendmail -q", wants: "the absolute path of a program"),
            Refused(name: "mail-from", value: "keys", wants: "an e-mail address such as keys@yourapp.com"),
            Refused(
                name: "webhook-allowed-networks", value: "10.0.0.1/8", wants: "networks such as 10.0.0.0/8,fd00::/8"),
            Refused(name: "webhook-certificates", value: "", wants: "the path of a PEM file with certificates"),
            Refused(name: "webhook-retention", value: "7", wants: "a whole number of days from 15 to 365"),
            Refused(name: "trusted-proxies", value: "0.0.0.0/0", wants: "networks such as 10.0.0.0/8"),
            Refused(name: "operator-address", value: "unix:", wants: "or unix: and the absolute path of a socket"),
            Refused(name: "metrics-address", value: "9464", wants: "an internal host and port such as 127.0.0.1:9464"),
            Refused(
                name: "gate-address", value: "unix:relative.sock", wants: "or unix: and the absolute path of a socket"),
            Refused(name: "gate-trusted-proxies", value: "::/0", wants: "networks of the gateways"),
            Refused(name: "gate-workspace-path", value: "/workspaces", wants: "with {workspace} in it once"),
            Refused(name: "lease", value: "2 seconds", wants: "a span from 500ms to 30s"),
            Refused(name: "header-bytes", value: "100", wants: "4096 to 131072"),
            Refused(name: "header-count", value: "many", wants: "20 to 1000"),
            Refused(name: "head-timeout", value: "2m", wants: "1s to 1m"),
            Refused(name: "request-timeout", value: "500ms", wants: "1s to 10m"),
            Refused(name: "idle-timeout", value: "0s", wants: "1s to 1h"),
            Refused(name: "stop-timeout", value: "1d", wants: "1s to 10m"),
            Refused(name: "remembered-accounts", value: "-1", wants: "1000 to 100000000"),
            Refused(name: "usage-retention", value: "30", wants: "a whole number of days from 31 to 3660"),
            Refused(name: "sign-up", value: "yes", wants: "open or closed"),
            Refused(name: "regenerate-by-key", value: "1", wants: "open or closed"),
            Refused(name: "password-cost", value: "16", wants: "17 to 20"),
            Refused(name: "audit-retention", value: "7d", wants: "a number of days from 30d to 36500d"),
            Refused(name: "access-log", value: "on", wants: "off, text or json"),
            Refused(name: "access-log-sample", value: "0", wants: "a whole number from 1 to 1000000"),
            Refused(name: "log-format", value: "xml", wants: "text or json"),
            Refused(name: "log-level", value: "trace", wants: "debug, info, notice, warning or error"),
        ]

        @Test func anUnknownNameInTheFileIsRefusedAndTheKnownOnesAreListed() throws {
            let file = try Self.settingsFile(#"{"leese": "2s"}"#)
            let result = try CommandRunner.run(["serve", "--config", file.path])
            #expect(result.status == 78)
            #expect(result.stderr.contains("leese") && result.stderr.contains(file.path))
            let known = try #require(result.stderr.components(separatedBy: "wants one of ").last)
            let names = Set(known.split(separator: ",").map { $0.trimmingCharacters(in: .whitespacesAndNewlines) })
            #expect(names == Set(Self.all.map(\.name)), "the table of this test must hold every setting")
        }

        @Test(arguments: all) func aBadValueIsRefusedWhereverItComesFrom(_ setting: Refused) throws {
            let flag = try CommandRunner.run(["serve", "--\(setting.name)=\(setting.value)"])
            if setting.value.isEmpty {
                // A flag without its value is a mistake in the command itself.
                #expect(flag.status == 64 && flag.stderr.contains("--\(setting.name)"), "\(flag.stderr)")
            } else {
                Self.expectRefusal(flag, of: setting, from: "--\(setting.name)")
            }
            let variable = try CommandRunner.run(["serve"], environment: [setting.variable: setting.value])
            Self.expectRefusal(variable, of: setting, from: setting.variable)
            let file = try Self.settingsFile(#"{"\#(setting.name)": "\#(setting.value)"}"#)
            let inFile = try CommandRunner.run(["serve", "--config", file.path])
            Self.expectRefusal(inFile, of: setting, from: file.path)
        }

        @Test(arguments: ["", "[]", "{", "not JSON"]) func aFileThatIsNoObjectIsRefused(_ text: String) throws {
            let file = try Self.settingsFile(text)
            let result = try CommandRunner.run(["serve", "--config", file.path])
            #expect(result.status == 78 && result.stderr.contains("config") && result.stderr.contains(file.path))
        }

        @Test func whatASettingBecomesIsInTheLogWithoutWhatItHides() throws {
            var deployed = try Deployed()
            let secret = "hunter2"
            try deployed.restart([
                "--sign-up", "closed", "--public-url", "https://keys.example.com", "--mail-from", "keys@example.com",
                "--mail-command", "/bin/true --passwordeval \(secret)", "--idle-timeout", "30s",
            ])
            try deployed.restart()
            let listed = try deployed.files.run("audit", "list", "--json", "--limit", "20")
            #expect(listed.status == 0 && !listed.stdout.contains(secret))
            let events = try #require(
                try JSONSerialization.jsonObject(with: Data(listed.stdout.utf8)) as? [[String: Any]])
            let changes = events.filter { $0["action"] as? String == "setting.changed" }.map { event in
                ["detail", "before", "after"].map { event[$0] as? String ?? "-" }.joined(separator: " ")
            }
            let settings = [
                ("mail-command", "/bin/true"), ("mail-from", "keys@example.com"),
                ("public-url", "https://keys.example.com"), ("sign-up", "closed"),
            ]
            #expect(changes.sorted() == settings.flatMap { ["\($0) - \($1)", "\($0) \($1) -"] }.sorted())
        }

        private static func expectRefusal(_ result: CommandResult, of setting: Refused, from source: String) {
            #expect(result.status == 78, "\(setting.name) from \(source): \(result.stderr)")
            #expect(result.stdout.isEmpty)
            let got = setting.isShown ? "'\(setting.value)'" : "a value that is not shown"
            let said = "setting \(setting.name): got \(got) from \(source), wants "
            #expect(result.stderr.contains(said), "\(result.stderr)")
            #expect(result.stderr.contains(setting.wants), "\(result.stderr)")
        }

        /// A file that lives as long as this value.
        private struct SettingsFile {
            let directory: TemporaryDirectory
            var path: String { directory.file("settings.json") }
        }

        private static func settingsFile(_ text: String) throws -> SettingsFile {
            let file = SettingsFile(directory: try TemporaryDirectory())
            try text.write(toFile: file.path, atomically: true, encoding: .utf8)
            return file
        }
    }
}
