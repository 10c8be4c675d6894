import Foundation
import TestSupport
import Testing

extension EndToEndTests {
    /// The examples that people copy work as they stand.
    @Suite struct ExampleTests {
        /// The Node.js example of the product's public documentation, to the letter.
        private static let nodeExample = """
            const res = await fetch('https://yourapp.com/api/v1/me', {
            headers: { Authorization: 'Bearer tdc_YOUR_API_KEY' },
            });
            const result = await res.json();
            if (result.ok) {
            const { data } = result;
            console.log('User profile:', data);
            } else {
            console.error('Error:', result.error, result.message);
            }
            """
        /// The cURL example of the product's public documentation, to the letter.
        private static let curlExample = """
            curl -H "Authorization: Bearer tdc_YOUR_API_KEY" \\
            https://yourapp.com/api/v1/me
            """

        /// An example with key and host filled in, and nothing else changed.
        private static func filledIn(_ example: String, key: String, port: Int) -> String {
            example.replacingOccurrences(of: "tdc_YOUR_API_KEY", with: key)
                .replacingOccurrences(of: "https://yourapp.com", with: "http://localhost:\(port)")
        }

        @Test func theExamplesPrintTheProfile() throws {
            let files = try InstallationFiles()
            // A server whose files are gone answers nothing any more.
            defer { withExtendedLifetime(files) {} }
            let server = try ServerProcess.demo(files)
            let greeting = try #require(server.greeting)
            let printed = try CommandRunner.run(program: "bash", ["-c", greeting.curlLine])
            try Self.expectProfile(printed)
            let curl = Self.filledIn(Self.curlExample, key: greeting.key, port: server.port)
            try Self.expectProfile(CommandRunner.run(program: "bash", ["-c", curl]))
            let node = Self.filledIn(Self.nodeExample, key: greeting.key, port: server.port)
            let run = try CommandRunner.run(program: "node", ["--input-type=module", "-"], stdin: node)
            #expect(run.status == 0, "\(run.stderr)")
            #expect(run.stdout.hasPrefix("User profile: {") && run.stdout.contains("email: 'ada@example.com'"))
            #expect(run.stderr.isEmpty)
            print("example: \(run.stdout.split(separator: "\n").prefix(3).joined(separator: " "))")
        }

        @Test func theNodeExampleTellsOfAWrongKey() throws {
            let files = try InstallationFiles()
            // A server whose files are gone answers nothing any more.
            defer { withExtendedLifetime(files) {} }
            let server = try ServerProcess.demo(files)
            let node = Self.filledIn(Self.nodeExample, key: "tdc_YOUR_API_KEY", port: server.port)
            let run = try CommandRunner.run(program: "node", ["--input-type=module", "-"], stdin: node)
            #expect(run.status == 0 && run.stdout.isEmpty)
            #expect(run.stderr == "Error: UNAUTHORIZED The Secret Key is missing or not valid.\n")
        }

        /// The examples of introspection, as files that people copy.
        @Test(arguments: ["python3 introspect.py", "node introspect.mjs"])
        func theIntrospectionExamplesTellWhoMayPass(_ example: String) throws {
            let files = try InstallationFiles()
            let server = try ServerProcess.demo(files)
            let key = try #require(server.greeting).key
            let token = try CommandRunner.run(
                ["operator-token", "create", "example"] + files.flags
            ).stdout.trimmingCharacters(in: .whitespacesAndNewlines)
            let parts = example.split(separator: " ").map(String.init)
            let script = Repository.url("examples/introspection/\(parts[1])").path
            func introspect(_ key: String, token: String) throws -> CommandResult {
                try CommandRunner.run(
                    program: parts[0], [script],
                    environment: [
                        "KEYBEARER_URL": "http://localhost:\(server.port)", "KEYBEARER_OPERATOR_TOKEN": token,
                    ], stdin: key)
            }
            let passed = try introspect(key, token: token)
            #expect(passed.status == 0 && passed.stdout == "active: ada@example.com\n", "\(passed.stderr)")
            let refused = try introspect(key.replacing("tdc_", with: "tdc_x"), token: token)
            #expect(refused.status == 1 && refused.stdout == "refused: unknown key\n", "\(refused.stderr)")
            #expect(try introspect(key, token: "kbo_nothing").status != 0)
        }

        private static func expectProfile(_ result: CommandResult) throws {
            #expect(result.status == 0, "\(result.stderr)")
            #expect(result.stdout.hasPrefix(#"{"ok":true,"#), "\(result.stdout)")
            let data = try #require(result.object?["data"] as? [String: Any])
            #expect(data["email"] as? String == "ada@example.com")
        }
    }
}
