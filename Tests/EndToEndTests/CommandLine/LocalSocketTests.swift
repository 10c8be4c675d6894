import Foundation
import GRDB
import TestSupport
import Testing

extension EndToEndTests {
    /// A key whose last use came over a Unix socket without a client's address, as the commands show it.
    @Suite struct LocalSocketTests {
        @Test func commandsShowALocalSocketAndItsTime() throws {
            let files = try InstallationFiles()
            try files.copyInitialised()
            let unused = try #require(try files.run("user", "show", "ada@example.com", "--json").object)
            let before = try #require(unused["key"] as? [String: Any])
            #expect(before["lastUsedAt"] is NSNull && before["lastUsedIp"] is NSNull)
            let file = try DatabaseQueue(path: files.database)
            try file.write { db in
                // As the gate writes it.
                try db.execute(sql: "UPDATE api_keys SET last_used_at = 1767225600250, last_used_ip = '::'")
            }
            try file.close()
            let shown = "2026-01-01T00:00:00.250Z from local socket"
            let key = try files.run("key", "show", "ada@example.com")
            #expect((key.stdout + key.stderr).contains("Last used  \(shown)"), "\(key.stdout) \(key.stderr)")
            #expect(try files.run("user", "show", "ada@example.com").stdout.contains(shown))
            let user = try #require(try files.run("user", "show", "ada@example.com", "--json").object)
            let record = try #require(user["key"] as? [String: Any])
            #expect(record["lastUsedAt"] as? String == "2026-01-01T00:00:00.250Z" && record["lastUsedIp"] is NSNull)
        }
    }
}
