import ArgumentParser
import Foundation
import Keybearer
@testable import KeybearerCLI
import KeybearerOutbound
import KeybearerServer
import TestSupport
import Testing

extension EndToEndTests {
    /// Every setting of ``SettingSources`` (``NetworkSettings``, ``ProviderOptions`` and ``MailOptions`` among them) with every type that
    /// ``JSONText`` can give it: it is in ``LoadedSettings`` as written, or nothing starts. ``SettingOptions`` are the
    /// flags, ``BrandSettings`` read files.
    @Suite struct SettingTypeTests {
        /// A value that a setting accepts and that is not its default.
        private struct Good: Sendable {
            /// As it is in the file.
            let written: String
            /// Whether it is what the settings hold.
            let isRead: @Sendable (LoadedSettings) -> Bool

            init(_ written: String, _ isRead: @escaping @Sendable (LoadedSettings) -> Bool) {
                (self.written, self.isRead) = (written, isRead)
            }
        }

        private static let good: [Setting: Good] = [
            .address: Good(#""127.0.0.2:8090""#) { $0.server.host == "127.0.0.2" && $0.server.port == 8_090 },
            .publicURL: Good(#""https://yourapp.com/developers/""#) { settings in
                settings.server.publicURL == PublicURL("https://yourapp.com/developers")
            },
            .apiURL: Good(#""https://api.yourapp.com""#) {
                "\($0.server.apiURL?.origin.host ?? "")" == "api.yourapp.com"
            },
            .productName: Good(#""Acme""#) { $0.server.brand.productName.description == "Acme" },
            .productLogo: Good("\"\(Repository.url("docs/benchmarks/gate.svg").path)\"") {
                $0.server.brand.logo != nil
            },
            .supportURL: Good(#""mailto:help@yourapp.com""#) {
                $0.server.brand.supportURL == SupportURL("mailto:help@yourapp.com")
            },
            .accentColor: Good(##""#0b6357""##) { $0.server.brand.accentColor == AccentColor("#0b6357") },
            .database: Good(#""kb.db""#) { $0.database == .sqlite(path: "kb.db") },
            .databaseConnections: Good("9") { $0.databaseConnections == 9 },
            .databaseWait: Good(#""11s""#) { $0.databaseWait == .seconds(11) },
            .masterKeyFile: Good(#""kb.keys""#) { $0.masterKeyPath == "kb.keys" },
            .keyPrefix: Good(#""kbx_""#) { "\($0.services.keyPrefix) \($0.server.keyPrefix)" == "kbx_ kbx_" },
            .portalReturnURLs: Good(#"["https://yourapp.com/settings", "http://localhost:3000"]"#) { settings in
                let places = ["https://yourapp.com/settings", "http://localhost:3000"]
                return settings.services.portalReturnURLs == places.compactMap { try? AllowedReturnURL(parsing: $0) }
            },
            .embedOrigins: Good(#"["https://app.yourapp.com", "https://yourapp.example:8443"]"#) {
                let origins = ["https://app.yourapp.com", "https://yourapp.example:8443"].compactMap { Origin($0) }
                return $0.server.embedOrigins == origins
            },
            .oidcIssuer: Good(#""https://login.example""#) {
                $0.provider.issuer?.text == "https://login.example"
                    && $0.services.identities?.issuer == "https://login.example"
            },
            .oidcClientID: Good(#""keybearer""#) { $0.provider.clientID == "keybearer" },
            .oidcClientSecretFile: Good(#""kb.secret""#) { $0.provider.secretFile == "kb.secret" },
            .oidcName: Good(#""Example""#) { $0.provider.name == "Example" },
            .oidcEmailVerified: Good(#""string""#) { $0.provider.emailTrust == .verifiedText },
            .oidcProvision: Good(#""open""#) { $0.provider.isProvisioningOpen },
            .mailCommand: Good(#""/usr/bin/msmtp -C /etc/msmtprc""#) {
                $0.mail.command == ["/usr/bin/msmtp", "-C", "/etc/msmtprc"]
            },
            .mailFrom: Good(#""Keys@yourapp.com""#) { $0.mail.sender?.rawValue == "keys@yourapp.com" },
            .webhookAllowedNetworks: Good(#"["10.0.0.0/8", "fd00::/8"]"#) {
                $0.webhooks.allowedNetworks.map(\.description) == ["10.0.0.0/8", "fd00::/8"]
            },
            .webhookCertificates: Good(#""own.pem""#) { $0.webhooks.trustedCertificates == "own.pem" },
            .webhookRetention: Good("31") { $0.services.webhookRetention == .seconds(31 * 86_400) },
            .trustedProxies: Good(#"["10.0.0.0/8", "2001:db8::/32"]"#) {
                $0.server.trustedProxies == ranges("10.0.0.0/8", "2001:db8::/32")
            },
            .operatorAddress: Good(#""127.0.0.1:8082""#) {
                $0.server.operatorAddress == .network(host: "127.0.0.1", port: 8_082)
            },
            .metricsAddress: Good(#""127.0.0.1:9464""#) {
                $0.server.metricsAddress == .network(host: "127.0.0.1", port: 9_464) && $0.services.metrics != nil
            },
            .gateAddress: Good(#""unix:/run/kb.sock""#) {
                $0.server.gate?.address == .unixSocket(path: "/run/kb.sock")
            },
            .gateTrustedProxies: Good(#""10.0.0.0/8, 192.168.0.0/16""#) {
                $0.server.gate?.trustedProxies == ranges("10.0.0.0/8", "192.168.0.0/16")
            },
            .gateWorkspacePath: Good(#""/workspaces/{workspace}""#) { settings in
                settings.server.gate.map { $0.workspacePattern == WorkspacePattern("/workspaces/{workspace}") } ?? false
            },
            .lease: Good(#""1500ms""#) { $0.services.lease == .milliseconds(1_500) },
            .headerBytes: Good("4096") { $0.server.headerBytes == 4_096 },
            .headerCount: Good(#""20""#) { $0.server.headerCount == 20 },
            .headTimeout: Good(#""5s""#) { $0.server.headTimeout == .seconds(5) },
            .requestTimeout: Good(#""5m""#) { $0.server.requestTimeout == .seconds(300) },
            .idleTimeout: Good(#""1h""#) { $0.server.idleTimeout == .seconds(3_600) },
            .stopTimeout: Good(#""10m""#) { $0.server.stopTimeout == .seconds(600) },
            .rememberedAccounts: Good("1000") { $0.services.rememberedAccounts == 1_000 },
            .usageRetention: Good("400") { $0.services.usageRetention == .seconds(400 * 86_400) },
            .signUp: Good(#""closed""#) { !$0.services.isSignUpOpen },
            .regenerateByKey: Good(#""open""#) { $0.isRegenerateByKeyOpen == true },
            .passwordCost: Good("18") { $0.services.passwordCost == 18 },
            .auditRetention: Good(#""400d""#) { $0.services.auditRetention == .seconds(400 * 86_400) },
            .accessLog: Good(#""json""#) { $0.server.accessLog.format == .json },
            .accessLogSample: Good("10") { $0.server.accessLog.sample == 10 },
            .logFormat: Good(#""json""#) { $0.logFormat == .json },
            .logLevel: Good(#""debug""#) { "\($0.logLevel)" == "debug" },
        ]

        private static func ranges(_ texts: String...) -> [AddressRange] { texts.compactMap { AddressRange($0) } }

        private static let noFlags = SettingOptions.parseOrExit([])

        private static func load(
            _ text: String, environment: [String: String] = [:], _ directory: TemporaryDirectory
        ) throws -> LoadedSettings {
            let path = directory.file("settings.json")
            try Data(text.utf8).write(to: URL(fileURLWithPath: path))
            var options = noFlags
            options.config = path
            return try LoadedSettings(options, environment: environment)
        }

        private static func refusal(
            _ text: String, environment: [String: String] = [:], _ directory: TemporaryDirectory
        ) throws -> String {
            do {
                _ = try load(text, environment: environment, directory)
                return ""
            } catch let error as SettingError {
                return error.description
            }
        }

        @Test func everySettingTakesWhatItWants() throws {
            let directory = try TemporaryDirectory()
            let members = Self.good.map { #""\#($0.key.rawValue)": \#($0.value.written)"# }
            let loaded = try Self.load("{\(members.joined(separator: ","))}", directory)
            let defaults = try Self.load("{}", directory)
            for setting in Setting.allCases where ![.tlsCertificate, .tlsKey].contains(setting) {
                let good = try #require(Self.good[setting], "\(setting) needs a value in this table")
                let alone = try Self.refusal(#"{"\#(setting.rawValue)": \#(good.written)}"#, directory)
                #expect(alone.isEmpty, "\(setting)")
                #expect(good.isRead(loaded) && !good.isRead(defaults), "\(setting)")
            }
        }

        @Test func noSettingTakesAnotherType() throws {
            let directory = try TemporaryDirectory()
            let foreign = [
                ("null", "null"), ("true", "the boolean true"), ("false", "the boolean false"), ("{}", "an object"),
                (#"{"value": "closed"}"#, "an object"), ("[[]]", "an array"), ("[1]", "an array"),
                ("[null]", "an array"),
                (#"[["10.0.0.0/8"]]"#, "an array"), (#"["10.0.0.0/8", 1]"#, "an array"), (#"[""]"#, "an array"),
                (#"["10.0.0.0/8,0.0.0.0/0"]"#, "an array"),
            ]
            for setting in Setting.allCases {
                for (value, got) in foreign {
                    let said = try Self.refusal(#"{"\#(setting.rawValue)": \#(value)}"#, directory)
                    #expect(said.hasPrefix("setting \(setting.rawValue): got \(got)"), "\(setting) \(value): \(said)")
                    #expect(said.contains(directory.file("settings.json")) && said.contains("wants "))
                }
                if setting.kind != .wholeNumber {
                    let said = try Self.refusal(#"{"\#(setting.rawValue)": 2}"#, directory)
                    #expect(said.contains("got a number"), "\(setting): \(said)")
                }
                if setting.kind != .networks {
                    let said = try Self.refusal(#"{"\#(setting.rawValue)": ["a"]}"#, directory)
                    #expect(said.contains("got an array") && said.contains("as "), "\(setting): \(said)")
                    #expect(try !Self.refusal(#"{"\#(setting.rawValue)": ""}"#, directory).isEmpty, "\(setting) empty")
                }
            }
        }

        @Test func aNumberIsWholeAndInItsRange() throws {
            let directory = try TemporaryDirectory()
            let wrong = [
                "1e3", "1E3", "20.0", "-20", "0", "1000000000000000000000", #""1e3""#, #""+20""#, #"" 20""#, #""20 ""#,
                #""0x20""#, #""20.0""#, #""2O""#, #""٢٠""#, #""20\n""#,
            ]
            for setting in Setting.allCases where setting.kind == .wholeNumber {
                for value in wrong {
                    let said = try Self.refusal(#"{"\#(setting.rawValue)": \#(value)}"#, directory)
                    #expect(said.hasPrefix("setting \(setting.rawValue): got '"), "\(setting) \(value): \(said)")
                }
            }
            for setting in Setting.allCases where setting.wants.hasPrefix("a span ") {
                for value in ["1e3s", "1.5s", "-1s", "+1s", "1", "s", "1 s", "1S", "1s ", "9223372036854775807h", "1d"]
                {
                    let said = try Self.refusal(#"{"\#(setting.rawValue)": "\#(value)"}"#, directory)
                    #expect(said.hasPrefix("setting \(setting.rawValue): got '"), "\(setting) \(value): \(said)")
                }
            }
        }

        @Test func theFileItselfIsReadStrictly() throws {
            let directory = try TemporaryDirectory()
            let accepted = [
                "{}", "\u{FEFF}{\"lease\": \"1s\"}\r\n",
                "{\r\n  \"lease\": \"1s\",\r\n  \"sign-up\": \"closed\"\r\n}\r\n",
                #"{"leas\u0065": "1s"}"#, " \n{}\t",
                "// why\n{ // why\n  // \"sign-up\": \"open\",\n\"lease\"://\n\"1s\"}//",
                "{\"lease\": \"1s\" // why\r\n}",
                #"{"public-url": "https://yourapp.com"}"#,
            ]
            for text in accepted { #expect(try Self.refusal(text, directory).isEmpty, "\(text)") }
            let refused = [
                (#"{"lease": "1s", "lease": "1s"}"#, "got two values"),
                (#"{"sign-up": "closed", "sign-\u0075p": "open"}"#, "got two values"),
                (#"{"Sign-Up": "closed"}"#, "did you mean sign-up?"),
                (#"{"sign_up": "closed"}"#, "did you mean sign-up?"),
                (#"{"sign-up ": "closed"}"#, "a name that is no setting"),
                (#"{"": "closed"}"#, "a name that is no setting"),
                (#"{"config": "other.json"}"#, "a name that is no setting"), (#"{"lease": "1s"} {}"#, "behind the end"),
                (#"{"lease": "1s"}x"#, "behind the end"), (#"{"lease": "1s",}"#, "in double quotes"),
                (#"{lease: "1s"}"#, "in double quotes"), ("{'lease': '1s'}", "in double quotes"),
                ("{\"lease\": \"1s\" / why\n}", "line 1"), ("{\n/* why */}", "line 2"), ("{\n# why\n}", "line 2"),
                (#"{"lease": "1s" // why }"#, "a comma or }"), ("// why", "ends too early"), ("{}/", "behind the end"),
                ("{\n\"lease\": 01}", "line 2"), ("[]", "one JSON object"),
                ("null", "one JSON object"), ("", "ends too early"), (#"{"lease": "\ud800"}"#, "surrogate"),
                ("{\"lease\": \"1s\u{0}\"}", "control character"), (#"{"lease": NaN}"#, "a value is expected"),
                (String(repeating: "[", count: 5_000), "nested"),
            ]
            for (text, piece) in refused {
                let said = try Self.refusal(text, directory)
                #expect(said.contains(piece), "\(text): \(said)")
            }
            let path = directory.file("settings.json")
            try Data([0x7B, 0x22, 0xFF, 0x22, 0x3A, 0x31, 0x7D]).write(to: URL(fileURLWithPath: path))
            var options = Self.noFlags
            options.config = path
            let named = options
            #expect(throws: SettingError.self) { _ = try LoadedSettings(named, environment: [:]) }
        }

        @Test func variablesThatAreNoSettingAreRefused() throws {
            let directory = try TemporaryDirectory()
            let foreign = [
                ("KEYBEARER_SIGNUP", "did you mean KEYBEARER_SIGN_UP?"), ("keybearer_sign_up", "KEYBEARER_SIGN_UP?"),
                ("KEYBEARER_LEESE", "did you mean KEYBEARER_LEASE?"), ("KEYBEARER_SIGN-UP", "KEYBEARER_SIGN_UP?"),
                ("KEYBEARER_PORT", "a name that is no setting"), ("KEYBEARER_", "a name that is no setting"),
                ("KEYBEARER_LISTEN", "a name that is no setting"),
            ]
            for (name, piece) in foreign {
                let said = try Self.refusal("{}", environment: [name: "8080 secret"], directory)
                #expect(said.contains(name) && said.contains(piece) && !said.contains("secret"), "\(name): \(said)")
            }
            let accepted = [
                "KEYBEARER_TEST_LONG": "1", "KEYBEARER_URL": "x", "KEYBEARER_PORT": "tcp://10.0.0.1:80",
                "KEYBEARER_SERVICE_HOST": "10.0.0.1", "KEYBEARER_GATE_SERVICE_PORT_HTTP": "80",
                "KEYBEARER_PORT_8080_TCP_ADDR": "10.0.0.1", "KEYBEARERS": "1", "KEYBEARER_BINARY": "x",
            ]
            #expect(try Self.refusal("{}", environment: accepted, directory).isEmpty)
            // An empty variable is a value like any other.
            for setting in Setting.allCases {
                let said = try Self.refusal("{}", environment: [setting.variable: ""], directory)
                #expect(said.isEmpty == (setting.kind == .networks), "\(setting): \(said)")
            }
        }

        @Test func aNetworkOrURLThatIsRefusedSaysWhy() throws {
            let directory = try TemporaryDirectory()
            let refused = [
                (
                    "trusted-proxies", "127.0.0.1, 10.0.0.1/8",
                    "'10.0.0.1/8' is refused because host bits are set; write 10.0.0.0/8."
                ),
                ("trusted-proxies", "2001:db8::1/32", "write 2001:db8::/32."),
                ("trusted-proxies", "10.0.0.0/8,,", "There is an empty entry."),
                ("trusted-proxies", "0.0.0.0/0", "contains every public IPv4 address"),
                ("trusted-proxies", "10.0.0/8", "'10.0.0/8' is neither a network"),
                ("trusted-proxies", "10.0. 0.0/8", "is neither a network"),
                ("trusted-proxies", "10.0.0.0/33", "needs a length from 0 to 32"),
                ("trusted-proxies", "10.0.0.0/8 192.168.0.0/16", "is neither a network"),
                ("trusted-proxies", "::/64", "'::/64' contains every public IPv4 address"),
                (
                    "trusted-proxies", "10.0.0.0/8,0.0.0.0/1,128.0.0.0/1",
                    "'0.0.0.0/1', '128.0.0.0/1' together contain every public IPv4"
                ),
                ("gate-trusted-proxies", "::1,2000::/3", "'2000::/3' contains every public IPv6 address"),
                ("gate-trusted-proxies", "::ffff:0:0/96", "'::ffff:0:0/96' contains every public IPv4 address"),
                ("gate-trusted-proxies", "10.0.0.0/40", "'10.0.0.0/40' needs a length from 0 to 32"),
                ("public-url", "ftp://yourapp.com", "it does not begin with https:// or http://"),
                ("public-url", "https://user@yourapp.com", "it holds a user name"),
                ("public-url", "https://yourapp.com?x", "leave out '?x'"),
                ("public-url", "https://yourapp.com/keys//", "its path '/keys/' is refused: use at most 100 letters"),
                (
                    "public-url", "https://yourapp.com/API/keys",
                    "its path begins with /API, which is one of the server's"
                ),
                ("api-url", "https://yourapp.com/v1.2", "its path '/v1.2' is refused"),
                ("product-logo", "/dev/zero", "the file is larger than 256 KiB"),
                ("product-logo", "/etc/hostname", "the file is no PNG, no WebP and no SVG"),
                ("product-logo", "/", "the file cannot be read"),
                ("public-url", "https://yourapp.com:99999", "its port is no number from 1 to 65535"),
            ]
            for (name, value, reason) in refused {
                let said = try Self.refusal(#"{"\#(name)": "\#(value)"}"#, directory)
                #expect(said.hasPrefix("setting \(name): got '\(value)'") && said.contains(reason), "\(value): \(said)")
            }
        }

        @Test func aStarIsAllAddresses() throws {
            let directory = try TemporaryDirectory()
            let all = try Self.load(#"{"address": "*:8080", "gate-address": "*:8081"}"#, directory)
            #expect(["::", "0.0.0.0"].contains(all.server.host) && all.server.port == 8_080)
            #expect(all.server.gate?.address == .network(host: all.server.host, port: 8_081))
            for text in [
                "**:80", "*", ":80", "[*]:80", "::1:80", "[::1]", "[::1]:80x", "a b:80", "a/b:80", "http://a:80",
                "a:+80", "a:65536", "a:-1", "a:", "[localhost]:80", "a:80 ", "a\\u0000:80",
            ] {
                let said = try Self.refusal(#"{"address": "\#(text)"}"#, directory)
                #expect(said.contains("wants a host and a port"), "\(text): \(said)")
            }
        }
    }
}
