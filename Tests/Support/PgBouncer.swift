import Foundation

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// A PgBouncer before the server that `scripts/with-postgres` starts, on a port of its own. It ends with the last
/// reference to it.
package final class PgBouncer: Sendable {
    /// It did not come up.
    package struct NotReady: Error {
        let words: String
    }

    /// The connection string that leads through it to the database.
    package let address: String
    private let directory: TemporaryDirectory
    private let child: ChildProcess

    /// - Parameters:
    ///   - mode: `session`, `transaction` or `statement`.
    ///   - settings: further lines of its configuration.
    package init(before database: PostgresDatabase, mode: String, settings: [String] = []) throws {
        guard var parts = URLComponents(string: database.address), let user = parts.user, let port = parts.port else {
            throw NotReady(words: "there is no port in the server's address")
        }
        directory = try TemporaryDirectory()
        let ownPort = try LoopbackListener().port
        try "\"\(user)\" \"\"\n".write(toFile: directory.file("users"), atomically: true, encoding: .utf8)
        // As root it changes to a user of its own, and then reads its files again.
        let account = geteuid() == 0 ? "user = nobody\n" : ""
        try """
        [databases]
        * = host=127.0.0.1 port=\(port)
        [pgbouncer]
        listen_addr = 127.0.0.1
        listen_port = \(ownPort)
        unix_socket_dir =
        auth_type = trust
        auth_file = \(directory.file("users"))
        pool_mode = \(mode)
        \(account)\(settings.joined(separator: "\n"))
        """.write(toFile: directory.file("pgbouncer.ini"), atomically: true, encoding: .utf8)
        chmod(directory.path, 0o755)
        let program = ProcessInfo.processInfo.environment["PGBOUNCER"] ?? "/usr/sbin/pgbouncer"
        child = try ChildProcess(program, ["--quiet", directory.file("pgbouncer.ini")], input: "", environment: [:])
        parts.host = "127.0.0.1"
        parts.port = ownPort
        address = parts.string ?? ""
        let deadline = MonotonicTime.now().advanced(byMilliseconds: 20_000)
        while true {
            let response = try CommandRunner.run(program: "psql", ["--no-psqlrc", "-d", address, "-c", "SELECT 1"])
            if response.status == 0 { return }
            guard MonotonicTime.now() < deadline else { throw NotReady(words: response.stderr) }
        }
    }
}
