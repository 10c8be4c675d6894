import Foundation
import TestSupport
import Testing

extension EndToEndTests {
    /// Connection strings (``DatabaseLocation``, ``PostgresAddress``) in every form and with every mistake: no secret
    /// is said, and none becomes a file's name.
    @Suite struct ConnectionStringTests {
        private static let secret = "s3cr1t"

        static let strings = [
            "postgres://u:s3cr1t@127.0.0.1:1/db", "postgresql://u:s3cr1t@127.0.0.1:1/db",
            "postgres://u:s3cr1t?x@127.0.0.1:1/db", "postgres://u:s3cr1t/x@127.0.0.1:1/db",
            "postgres://u:x/s3cr1t@127.0.0.1:1/db", "postgres://u:12/s3cr1t@127.0.0.1:1/db",
            "postgres://u:x?s3cr1t@127.0.0.1:1/db", "postgres://u:x#s3cr1t@127.0.0.1:1/db",
            "postgres://u:s3cr1t@x@127.0.0.1:1/db", "postgres://u:x@s3cr1t@127.0.0.1:1/db",
            "postgres://u:s3cr1t%zz@127.0.0.1:1/db", "postgres://u:s3cr1t%40@127.0.0.1:1/db",
            "postgres://u:s3cr1t@[::1", "postgres://u:s3cr1t@[::1]:1/db", "postgres://u:s3cr1t@127.0.0.1:port/db",
            "postgres://u:s3cr1t", "postgres://u@127.0.0.1:s3cr1t/db", "postgres://u:s3cr1t@127.0.0.1:1,127.0.0.1:2/db",
            "postgres://127.0.0.1:1/db?password=s3cr1t", "postgres://127.0.0.1:1/db?user=u&password=s3cr1t",
            "postgres://127.0.0.1:1/db?password=x@s3cr1t", "postgres://127.0.0.1:1?password=s3cr1t@x",
            "postgres://127.0.0.1:1/db?pass=s3cr1t", "postgres://127.0.0.1:1/db?sslpassword=s3cr1t",
            "postgres://127.0.0.1:1/db?passfile=/s3cr1t", "postgres://u:s3 cr1t s3cr1t@127.0.0.1:1/db",
            "host=127.0.0.1 port=1 dbname=db user=u password=s3cr1t",
            "host = '127.0.0.1' port = 1 dbname = db user = u password = 's3cr1t'",
            " host=127.0.0.1 port=1 password=s3cr1t", "password=s3cr1t", "password = s3cr1t host=127.0.0.1 port=1",
            "host=127.0.0.1 port=1 password='s3cr1t", "host=127.0.0.1 port=1 pass=s3cr1t",
            "host=127.0.0.1 port=s3cr1t", "host=127.0.0.1:s3cr1t@x port=1", "host=127.0.0.1 port=1 password=a\\ s3cr1t",
            "dbname='host=127.0.0.1 port=1 password=s3cr1t'", "dbname=postgres://u:s3cr1t@127.0.0.1:1/db",
            "Host=127.0.0.1;Port=1;Password=s3cr1t", "Server=127.0.0.1;Pwd=s3cr1t", "\"host=x password=s3cr1t\"",
            "'postgres://u:s3cr1t@127.0.0.1:1/db'", " postgres://u:s3cr1t@127.0.0.1:1/db",
            "Postgres://u:s3cr1t@127.0.0.1:1/db", "postgres:u:s3cr1t@127.0.0.1/db", "postgres:/u:s3cr1t@127.0.0.1/db",
            "postgres//u:s3cr1t@127.0.0.1/db", "u:s3cr1t@127.0.0.1:1/db", "//u:s3cr1t@127.0.0.1:1/db",
            "jdbc:postgresql://127.0.0.1:1/db?user=u&password=s3cr1t", "mysql://u:s3cr1t@127.0.0.1/db",
            "sqlite:postgres://u:s3cr1t@127.0.0.1:1/db", "sqlite:host=127.0.0.1 password=s3cr1t",
            "sqlite://u:s3cr1t@127.0.0.1/db", "service=none password=s3cr1t", "postgres://u:s3cr1t\n@127.0.0.1:1/db",
            "/var/db host=127.0.0.1 PASSWORD=s3cr1t",
        ]

        @Test func noSecretIsSaidAndNoFileIsMade() throws {
            let directory = try TemporaryDirectory()
            let before = try FileManager.default.contentsOfDirectory(atPath: ".")
            for text in Self.strings {
                for words in [["user", "list"], ["init", "--email", "ada@example.com", "--generate-password"]] {
                    let result = try CommandRunner.run(
                        words + ["--master-key-file", directory.file("keys"), "--log-level", "debug"],
                        environment: ["KEYBEARER_DATABASE": text])
                    #expect(result.status != 0, "\(text)")
                    #expect(!(result.stdout + result.stderr).contains(Self.secret), "\(text): \(result.stderr)")
                }
                let moved = try CommandRunner.run(["migrate", "--from", text, "--to", text])
                #expect(moved.status != 0)
                #expect(!(moved.stdout + moved.stderr).contains(Self.secret), "\(text): \(moved.stderr)")
            }
            let unquoted = try CommandRunner.run(
                ["user", "list", "--database", "host=127.0.0.1", "port=1", "password=s3cr1t"])
            #expect(unquoted.status == 64 && !unquoted.stderr.contains(Self.secret), "\(unquoted.stderr)")
            #expect(try FileManager.default.contentsOfDirectory(atPath: ".").sorted() == before.sorted())
        }

        @Test func aKeywordStringAndAServiceAreThePostgresThatTheyName() throws {
            let directory = try TemporaryDirectory()
            let address = try #require(URLComponents(string: PostgresDatabase().address))
            let (host, port, user) = (address.host ?? "", address.port ?? 0, address.user ?? "")
            let service = directory.file("services")
            try "[kb]\nhost=\(host)\nport=\(port)\nuser=\(user)\ndbname=keybearer\n"
                .write(toFile: service, atomically: true, encoding: .utf8)
            let keys = ["--master-key-file", directory.file("keys")]
            let empty = try CommandRunner.run(
                ["user", "list"] + keys,
                environment: [
                    "KEYBEARER_DATABASE": "host = '\(host)' port=\(port) user=\(user) dbname=keybearer password=x"
                ])
            #expect(empty.stderr.contains("postgres://\(user)@\(host):\(port)/keybearer"), "\(empty.stderr)")
            let made = try CommandRunner.run(
                ["init", "--email", "ada@example.com", "--generate-password"] + keys,
                environment: ["KEYBEARER_DATABASE": "host=\(host) port=\(port) user=\(user) dbname=keybearer"])
            #expect(made.status == 0, "\(made.stderr)")
            let listed = try CommandRunner.run(
                ["user", "list", "--database", "service=kb"] + keys, environment: ["PGSERVICEFILE": service])
            #expect(listed.status == 0 && listed.stdout.contains("ada@example.com"), "\(listed.stderr)")
        }
    }
}
