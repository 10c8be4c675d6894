import Foundation
import TestSupport
import Testing

extension EndToEndTests {
    /// What a person reads when PostgreSQL cannot be used: every line, and never a password.
    @Suite struct PostgresFailureTests {
        private let directory: TemporaryDirectory
        private let database: PostgresDatabase
        private let runner: FailureRunner
        private static let secret = FailureRunner.password
        private static let hba =
            "Check pg_hba.conf on the server: rules for this address, and whether they want TLS (sslmode)."
        private static let primary =
            "Name the primary in the setting database, or reset default_transaction_read_only."

        init() throws {
            let files = try InstallationFiles()
            try files.copyInitialised()
            directory = files.directory
            database = try PostgresDatabase()
            runner = FailureRunner(directory: directory)
        }

        /// Fails where nothing was made yet, and so is no database of Keybearer.
        private func check(_ lines: [FailureLine]) throws {
            for line in lines { try runner.check(line) }
        }

        private func initialise() throws {
            let made = try CommandRunner.run([
                "init", "--email", "ada@example.com", "--generate-password", "--database", database.address,
                "--master-key-file", directory.file("keybearer.keys"),
            ])
            try #require(made.status == 0, "\(made.stderr)")
        }

        @Test func aServerThatIsOutOfReach() throws {
            let silent = try FakePostgres(.silence)
            let starting = try FakePostgres(.failure(state: "57P03", message: "the database system is starting up"))
            let crowded = try FakePostgres(.failure(state: "53300", message: "sorry, too many clients already"))
            func place(_ port: Int) -> String { "postgres://ada@127.0.0.1:\(port)/kb" }
            func address(_ port: Int) -> String { "postgres://ada:\(Self.secret)@127.0.0.1:\(port)/kb?sslmode=disable" }
            try check([
                FailureLine(
                    name: "nobody listens", database: address(1),
                    line: "cannot connect to \(place(1)): connection refused. "
                        + "Check that PostgreSQL runs, and host and port in the setting database."),
                FailureLine(
                    name: "a keyword string",
                    database: "postgres://?host=127.0.0.1&port=1&dbname=kb&user=ada&password=\(Self.secret)",
                    line: "cannot connect to \(place(1)): connection refused. "
                        + "Check that PostgreSQL runs, and host and port in the setting database."),
                FailureLine(
                    name: "unknown host", database: "postgres://ada:\(Self.secret)@no-such-host.invalid/kb",
                    line: "cannot connect to postgres://ada@no-such-host.invalid/kb: the host's name is unknown. "
                        + "Check the host in the setting database, and this machine's DNS."),
                FailureLine(
                    name: "silence", database: address(silent.port),
                    line: "cannot connect to \(place(silent.port)): no answer in time. "
                        + "Check host and port in the setting database, and that no firewall is in between.",
                    holder: silent),
                FailureLine(
                    name: "starting up", database: address(starting.port),
                    line: "cannot connect to \(place(starting.port)): the server is starting up or shutting down. "
                        + "Try again when it is up.", holder: starting),
                FailureLine(
                    name: "too many", database: address(crowded.port),
                    line: "cannot connect to \(place(crowded.port)): the server has no connection left. "
                        + "Lower the setting database-connections, or raise max_connections on the server.",
                    holder: crowded),
            ])
        }

        @Test func aServerThatDoesNotAdmit() throws {
            let role = "pw_\(database.name)"
            try database.administrate("CREATE ROLE \(role) LOGIN PASSWORD 'right' IN ROLE password_users")
            try database.administrate("CREATE ROLE \(role)_none NOLOGIN")
            try database.administrate("CREATE DATABASE closed_\(database.name)")
            try database.administrate("REVOKE CONNECT ON DATABASE closed_\(database.name) FROM PUBLIC")
            let german = try FakePostgres(
                .failure(state: "28P01", message: "Passwort-Authentifizierung für Benutzer »ada« fehlgeschlagen"))
            let strict = try FakePostgres(
                .failure(state: "28000", message: "no pg_hba.conf entry for host \"127.0.0.1\", user \"ada\""))
            let host = database.host
            func place(_ user: String, _ name: String = "keybearer") -> String { "postgres://\(user)@\(host)/\(name)" }
            try check([
                FailureLine(
                    name: "wrong password", database: database.address(user: "\(role):\(Self.secret)"),
                    line: "cannot connect to \(place(role)): password authentication failed for user \"\(role)\". "
                        + "Check PGPASSFILE or the password in the setting database."),
                FailureLine(
                    name: "no password", database: database.address(user: role),
                    line: "cannot connect to \(place(role)): the server wants a password for user \"\(role)\" and none "
                        + "was given. Put it into the file that PGPASSFILE names, or into the setting database.",
                    lacksPassword: true),
                FailureLine(
                    name: "another language", database: "postgres://ada:\(Self.secret)@127.0.0.1:\(german.port)/kb",
                    line:
                        "cannot connect to postgres://ada@127.0.0.1:\(german.port)/kb: password authentication failed "
                        + "for user \"ada\". Check PGPASSFILE or the password in the setting database.", holder: german),
                FailureLine(
                    name: "no rule", database: "postgres://ada:\(Self.secret)@127.0.0.1:\(strict.port)/kb",
                    line:
                        "cannot connect to postgres://ada@127.0.0.1:\(strict.port)/kb: the server does not admit user "
                        + "\"ada\" to database \"kb\" from this machine. \(Self.hba)", holder: strict),
                FailureLine(
                    name: "unknown role", database: database.address(user: "nobody_\(database.name):\(Self.secret)"),
                    line: "cannot connect to \(place("nobody_\(database.name)")): there is no role "
                        + "\"nobody_\(database.name)\". "
                        + "Make it with createuser, or correct the user in the setting database."),
                FailureLine(
                    name: "no login", database: database.address(user: "\(role)_none"),
                    line: "cannot connect to \(place("\(role)_none")): the role \"\(role)_none\" may not log in. "
                        + "ALTER ROLE … LOGIN, or name another user."),
                FailureLine(
                    name: "unknown database", database: database.address(database: "none_\(database.name)"),
                    line: "cannot connect to \(place(database.name, "none_\(database.name)")): there is no database "
                        + "\"none_\(database.name)\". "
                        + "Make it with createdb, or correct its name in the setting database."),
                FailureLine(
                    name: "may not connect", database: database.address(database: "closed_\(database.name)"),
                    line: "cannot connect to \(place(database.name, "closed_\(database.name)")): the role "
                        + "\"\(database.name)\" may not connect to database \"closed_\(database.name)\". "
                        + "GRANT CONNECT ON DATABASE … TO the role, or name another user."),
            ])
            try database.administrate("DROP DATABASE closed_\(database.name)")
        }

        @Test func encryptionThatCannotBeHad() throws {
            let open = try FakePostgres(.session(["server_version": "15.4"]))
            try check([
                FailureLine(
                    name: "no TLS",
                    database: "postgres://ada:\(Self.secret)@127.0.0.1:\(open.port)/kb?sslmode=require",
                    line:
                        "cannot connect to postgres://ada@127.0.0.1:\(open.port)/kb: the server does not speak TLS as "
                        + "sslmode wants. "
                        + "Switch TLS on at the server (ssl = on), or change sslmode in the setting database.",
                    holder: open),
                FailureLine(
                    name: "no root certificate",
                    database: database.address(parameters: "sslmode=verify-full&sslrootcert=/none.crt"),
                    line: "cannot connect to postgres://\(database.name)@\(database.host)/keybearer: the server's "
                        + "certificate was not accepted. "
                        + "Check sslrootcert, sslmode and the host's name in the setting database."),
            ])
        }

        @Test func connectionStringsThatAreNotUnderstoodShowNothing() throws {
            // Refused with the setting, before anything is connected to: where a password may stand elsewhere than it
            // should, no part is shown.
            for database in [
                "postgres://ada:\(Self.secret)/x@127.0.0.1/kb", "postgres://ada:\(Self.secret)%zz@127.0.0.1/kb",
                "postgres://ada@127.0.0.1/kb?\(Self.secret)=1",
                "postgres://ada:x@\(Self.secret)@no-such-host.invalid/kb",
            ] {
                for words in [["user", "list"], ["serve"], ["doctor"]] {
                    let result = try CommandRunner.run(
                        words + ["--database", database, "--master-key-file", directory.file("keybearer.keys")])
                    #expect(result.status == 78, "\(words)")
                    let said = result.stdout + result.stderr
                    #expect(
                        said.contains(
                            "setting database: got a value that is not shown from --database, wants the path of an SQLite "
                                + "file, or a connection string of PostgreSQL"), "\(said)")
                    #expect(!said.contains(Self.secret), "\(words)")
                }
            }
        }

        @Test func aServerThatTakesNoWrites() throws {
            try initialise()
            let standby = try FakePostgres(.session(["server_version": "15.4", "in_hot_standby": "on"]))
            let old = try FakePostgres(.session(["server_version": "11.5"]))
            func address(_ port: Int) -> String {
                "postgres://ada:\(Self.secret)@127.0.0.1:\(port)/kb?target_session_attrs=any"
            }
            let place = "postgres://\(database.name)@\(database.host)/keybearer"
            try database.administrate("ALTER ROLE \(database.name) SET default_transaction_read_only = on")
            let readOnly =
                "cannot connect to \(place): it takes no writes: it is a standby, or its transactions are read-only by "
                + "default. \(Self.primary)"
            try check([
                FailureLine(name: "read-only", database: database.address, line: readOnly),
                FailureLine(
                    name: "read-only, whatever the address says",
                    database: database.address(parameters: "target_session_attrs=any"), line: readOnly),
                FailureLine(
                    name: "standby", database: address(standby.port),
                    line:
                        "cannot connect to postgres://ada@127.0.0.1:\(standby.port)/kb: the server is a standby, which "
                        + "takes no writes. Name the primary in the setting database, or all servers with "
                        + "target_session_attrs=read-write.", holder: standby),
                FailureLine(
                    name: "old", database: address(old.port),
                    line: "cannot connect to postgres://ada@127.0.0.1:\(old.port)/kb: the server is PostgreSQL 11.5. "
                        + "Keybearer works with PostgreSQL 12 or later: upgrade the server.", holder: old),
            ])
        }

        @Test func aDatabaseThatIsNotAsItShouldBe() throws {
            let place = "postgres://\(database.name)@\(database.host)/keybearer"
            let stranger = "poor_\(database.name)"
            try database.administrate("CREATE ROLE \(stranger) LOGIN")
            try initialise()
            try check([
                FailureLine(
                    name: "no permission", database: database.address(user: stranger),
                    command: ["init", "--email", "eve@example.com", "--generate-password"],
                    line: "cannot use postgres://\(stranger)@\(database.host)/keybearer: permission denied for schema "
                        + "public. Let the role own the database, or the schema that its search_path names first.",
                    isThere: false)
            ])
            let holder = try database.hold("SELECT number FROM fence_counter FOR UPDATE")
            defer { holder.release() }
            try check([
                FailureLine(
                    name: "busy", database: database.address, command: ["plan", "put", "pro", "--name", "Pro"],
                    line: "cannot use \(place): another transaction holds a lock for too long. "
                        + "Look in pg_stat_activity for transactions that stay open, and try again.")
            ])
            holder.release()
            try database.run("ALTER TABLE plans RENAME TO plans_elsewhere")
            try check([
                FailureLine(
                    name: "no table", database: database.address, command: ["plan", "list"],
                    line: "cannot use \(place): relation \"plans\" does not exist. Somebody changed the schema, or "
                        + "search_path leads elsewhere: restore a backup, or correct it.")
            ])
            try database.run("INSERT INTO schema_migrations (identifier, needs) VALUES ('100 breaks', 100)")
            let version = try CommandRunner.run(["--version"]).line
            try check([
                FailureLine(
                    name: "newer", database: database.address,
                    line:
                        "cannot use \(place): a newer version of Keybearer brought its schema up to date, and this one "
                        + "(\(version)) cannot work beside it. Install that version or a later one.")
            ])
        }
    }
}
