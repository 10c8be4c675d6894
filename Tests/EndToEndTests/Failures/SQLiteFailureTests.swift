import Foundation
import GRDB
import TestSupport
import Testing

extension EndToEndTests {
    /// What a person reads when the database's file cannot be used.
    @Suite struct SQLiteFailureTests {
        private let files: InstallationFiles
        private let runner: FailureRunner

        init() throws {
            files = try InstallationFiles()
            try files.copyInitialised()
            runner = FailureRunner(directory: files.directory)
        }

        private func check(
            _ name: String, _ line: String, database: String? = nil, command: [String] = ["user", "list"],
            isUnprivileged: Bool = false
        ) throws {
            try runner.check(
                FailureLine(
                    name: name, database: database ?? files.database, command: command, line: line,
                    isUnprivileged: isUnprivileged))
        }

        private static let commandThatMakes = ["init", "--email", "eve@example.com", "--generate-password"]

        @Test func aFileThatCannotBeOpened() throws {
            let missing = files.directory.file("none/keybearer.db")
            let result = try CommandRunner.run(
                Self.commandThatMakes + ["--database", missing, "--master-key-file", files.masterKeys])
            #expect(result.status == 69)
            #expect(
                result.stderr == "keybearer: cannot open \(missing): there is no directory "
                    + "\(files.directory.file("none")). Make it, or correct the setting database.\n")
            try check(
                "a directory",
                "cannot open \(files.directory.path): it is a directory. Name a file in the setting database.",
                database: files.directory.path)
        }

        @Test func aFileThatThisUserMayNotUse() throws {
            func own(_ path: String, by owner: Int, mode: Int) throws {
                var attributes: [FileAttributeKey: Any] = [.posixPermissions: mode]
                if getuid() == 0 { attributes[.ownerAccountID] = owner }
                try FileManager.default.setAttributes(attributes, ofItemAtPath: path)
            }
            try own(files.directory.path, by: 65_534, mode: 0o755)
            try own(files.masterKeys, by: 65_534, mode: 0o600)
            try own(files.database, by: 65_534, mode: 0o000)
            try check(
                "may not read",
                "cannot open \(files.database): this user may not read and write it. "
                    + "Run keybearer as the user who owns the file and its directory, or give them to this one (chown).",
                isUnprivileged: true)
            try own(files.database, by: 65_534, mode: 0o444)
            try own(files.directory.path, by: 65_534, mode: 0o755)
            try check(
                "may not write",
                "cannot write to \(files.database): the file, its directory or its disk is read-only for this user. "
                    + "SQLite writes to the file and to others beside it: give this user both, on a disk that takes writes.",
                command: ["plan", "put", "pro", "--name", "Pro"], isUnprivileged: true)
            try own(files.database, by: 65_534, mode: 0o600)
            try own(files.directory.path, by: 65_534, mode: 0o000)
            try check(
                "may not know",
                "cannot open \(files.database): this user may not read and write it. "
                    + "Run keybearer as the user who owns the file and its directory, or give them to this one (chown).",
                isUnprivileged: true)
            try own(files.directory.path, by: Int(getuid()), mode: 0o755)
        }

        @Test func aFileThatIsNoDatabaseOfThisVersion() throws {
            let text = files.directory.file("letter.db")
            try "this is no database, whatever its name says".write(toFile: text, atomically: true, encoding: .utf8)
            let foreign = files.directory.file("foreign.db")
            try change(foreign, "CREATE TABLE notes (text TEXT)")
            for path in [text, foreign] {
                try check(
                    "foreign",
                    "cannot use \(path): it is not a database of Keybearer. "
                        + "Correct the setting database, or restore a backup.", database: path)
            }
            try change(files.database, "ALTER TABLE plans RENAME TO plans_elsewhere")
            try check(
                "no table",
                "cannot use \(files.database): no such table: plans. "
                    + "Somebody changed the schema: restore the last sound backup.", command: ["plan", "list"])
            try change(files.database, "INSERT INTO grdb_migrations VALUES ('100 breaks')")
            try check(
                "newer",
                "cannot use \(files.database): a newer version of Keybearer than this one "
                    + "(\(try CommandRunner.run(["--version"]).line)) wrote it. Install that version or a later one.")
        }

        @Test func aFileThatIsDamaged() throws {
            var bytes = try Data(contentsOf: URL(fileURLWithPath: files.database))
            for offset in 100..<bytes.count { bytes[offset] = 0xA5 }
            try bytes.write(to: URL(fileURLWithPath: files.database))
            try check(
                "damaged",
                "cannot use \(files.database): the file is damaged. "
                    + "Stop the server, keep a copy of the files, and restore the last sound backup.")
        }

        @Test func aFileThatSomebodyHoldsLocked() throws {
            let other = try DatabaseQueue(path: files.database)
            try other.inDatabase { db in
                try db.execute(sql: "BEGIN IMMEDIATE")
                // Both wait for the lock at the same time.
                let examination = try CommandRunner.start(["doctor"] + files.flags)
                let result = try files.run("plan", "put", "pro", "--name", "Pro")
                #expect(result.status == 69)
                #expect(
                    result.stderr == "keybearer: cannot use \(files.database): another process has held its lock for 5 "
                        + "seconds. Look which one has the file open (fuser), and try again when it has ended.\n")
                let doctor = examination.finish()
                #expect(doctor.status == 78 && doctor.stdout.contains("another process has held its lock"))
                try db.execute(sql: "ROLLBACK")
            }
        }

        /// Only root can make a disk so small; the store's own tests meet a full one without.
        @Test(.enabled(if: getuid() == 0)) func aFullDisk() throws {
            let disk = files.directory.file("disk")
            try FileManager.default.createDirectory(atPath: disk, withIntermediateDirectories: false)
            // In a namespace of its own, which ends with it.
            let script = """
                mount -t tmpfs -o size=2m none "$1" && cp "$2" "$1/keybearer.db" && dd if=/dev/zero of="$1/rest" 2>/dev/null
                shift 2
                "$@"
                """
            func run(_ words: String...) throws -> CommandResult {
                try CommandRunner.run(
                    program: "unshare",
                    ["-m", "sh", "-c", script, "sh", disk, files.database, CommandRunner.binary()] + words
                        + ["--database", disk + "/keybearer.db", "--master-key-file", files.masterKeys])
            }
            let line = "cannot write to \(disk)/keybearer.db: the disk is full"
            let change = try run("plan", "put", "pro", "--name", "Pro")
            #expect(change.status == 69)
            #expect(change.stderr == "keybearer: \(line). Free space on it; what was committed is safe.\n")
            let doctor = try run("doctor")
            #expect(doctor.status == 78, "\(doctor.stdout)")
            #expect(
                doctor.stdout.contains("broken   database: \(line).\n") && !doctor.stdout.contains("keybearer init"))
        }

        private func change(_ path: String, _ sql: String) throws {
            let queue = try DatabaseQueue(path: path)
            try queue.writeWithoutTransaction { try $0.execute(sql: sql) }
            try queue.close()
        }
    }
}
