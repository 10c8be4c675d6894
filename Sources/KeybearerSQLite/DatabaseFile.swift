import Foundation
import Keybearer
import KeybearerSQL

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// What happens to the database's file outside SQLite: its place, its mode, and who may open it first.
enum DatabaseFile {
    /// Creates an empty file that its owner alone may read; leaves an existing one as it is.
    ///
    /// SQLite gives the `-wal` and `-shm` files the mode of this one. Nothing is opened when the file exists: closing a
    /// descriptor of it would drop all locks that SQLite holds on it in this process.
    static func createIfMissing(_ path: String) throws {
        let descriptor = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0o600)
        if descriptor >= 0 {
            close(descriptor)
            try synchronizeDirectory(of: path)
        } else if errno != EEXIST {
            throw FileTrouble.whyItCannotBeOpened(path, error: errno)
        }
    }

    /// Creates an empty file that its owner alone may read.
    ///
    /// - Throws: `CONFLICT` when there is one already.
    static func create(_ path: String) throws {
        let descriptor = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0o600)
        if descriptor >= 0 {
            close(descriptor)
            try synchronizeDirectory(of: path)
        } else if errno == EEXIST {
            throw KeybearerError(.conflict, "The file exists already. Nothing was written.")
        } else {
            throw FileTrouble.whyItCannotBeOpened(path, error: errno)
        }
    }

    /// Whether there is a file.
    static func exists(_ path: String) throws -> Bool {
        var information = stat()
        if stat(path, &information) == 0 { return true }
        if errno == ENOENT || errno == ENOTDIR { return false }
        throw FileTrouble.whyItCannotBeOpened(path, error: errno)
    }

    /// Removes a database file and what SQLite keeps beside it.
    static func remove(_ path: String) {
        for suffix in ["", "-wal", "-shm", "-journal"] { unlink(path + suffix) }
    }

    /// Runs `body` while no other process or thread runs one for a file in the same directory.
    static func withDirectoryLock<Result>(_ path: String, _ body: () throws -> Result) throws -> Result {
        let descriptor = open(directory(of: path), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileTrouble.whyItCannotBeOpened(path, error: errno) }
        defer { close(descriptor) }
        while flock(descriptor, LOCK_EX) != 0 {
            guard errno == EINTR else { throw FileTrouble.whyItCannotBeOpened(path, error: errno) }
        }
        return try body()
    }

    /// Whether there is something at a path, a link that leads nowhere included.
    static func isTaken(_ path: String) -> Bool {
        var status = stat()
        return lstat(path, &status) == 0
    }

    /// Lets no other process hold the same file until this one ends: the descriptor is never closed, for closing it
    /// would drop all locks that SQLite holds on the file in this process.
    ///
    /// - Throws: `CONFLICT` when another process holds it.
    static func hold(_ path: String) throws {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileTrouble.whyItCannotBeOpened(path, error: errno) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else { throw MoveMark.isBusy }
    }

    /// Removes all database files whose paths begin with this.
    static func removeAll(beginningWith path: String) {
        let directory = directory(of: path)
        let prefix = path.split(separator: "/").last.map(String.init) ?? path
        let names = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
        for name in names where name.hasPrefix(prefix) { unlink(directory + "/" + name) }
    }

    /// Gives a finished file its name, on the disk, and never over another file.
    ///
    /// - Throws: `CONFLICT` when there is one already.
    static func putInPlace(_ staging: String, as path: String) throws {
        guard !isTaken(staging + "-wal") else { throw FileTrouble.whyItCannotBeOpened(staging, error: EBUSY) }
        guard link(staging, path) == 0 else {
            if errno == EEXIST { throw KeybearerError(.conflict, "There is a file already. Nothing was written.") }
            throw FileTrouble.whyItCannotBeOpened(path, error: errno)
        }
        unlink(staging)
        try synchronizeDirectory(of: path)
    }

    /// The directory that a path is in.
    static func directory(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// Writes to disk which names are in a file's directory: SQLite does so for its log alone, and without it a file
    /// that was just made may be gone after a loss of power.
    private static func synchronizeDirectory(of path: String) throws {
        let descriptor = open(directory(of: path), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileTrouble.whyItCannotBeOpened(path, error: errno) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw FileTrouble.whyItCannotBeOpened(path, error: errno) }
    }
}
