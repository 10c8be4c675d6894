import Foundation
import Keybearer

#if canImport(CDispatch)
// The compiler takes `stat` for a declaration of the one of these modules that it has seen first.
import CDispatch
import CoreFoundation
#endif

/// The file with the ring of master keys: mode 0600, written by replacing it whole.
struct MasterKeyFile: Sendable {
    let path: String

    /// Reads the ring.
    ///
    /// - Throws: ``CommandFailure`` when the file is missing, open to others, or not a ring. A start without its master
    ///   keys, or with sample ones, is refused.
    func load() throws -> MasterKeyRing {
        let text = try contents()
        do {
            return try MasterKeyFormat.parse(text)
        } catch {
            throw CommandFailure(.configuration, "the master-key file \(path) \(Self.explanation(error))")
        }
    }

    /// The text of the file. A symbolic link is followed; owner and mode are those of the file that is read.
    private func contents() throws -> String {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw unopened(errno) }
        let handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        var information = stat()
        guard fstat(descriptor, &information) == 0, information.st_mode & S_IFMT == S_IFREG else {
            throw CommandFailure(.noInput, "the master-key file \(path) is not a regular file")
        }
        guard information.st_mode & 0o077 == 0 else {
            let target = target
            throw CommandFailure(
                .noPermission,
                "the master-key file \(path)\(target == path ? "" : " (\(target))") can be read by others; "
                    + "run: chmod 600 \(target)")
        }
        guard let data = try? handle.readToEnd() ?? Data() else {
            throw CommandFailure(.noPermission, "the master-key file \(path) cannot be read")
        }
        guard let text = String(data: data, encoding: .utf8) else {
            throw CommandFailure(.configuration, "the master-key file \(path) is not UTF-8 text")
        }
        return text
    }

    private func unopened(_ code: Int32) -> CommandFailure {
        var link = stat()
        let isLink = lstat(path, &link) == 0 && link.st_mode & S_IFMT == S_IFLNK
        switch code {
        case EACCES:
            return CommandFailure(
                .noPermission, "this user may not read the master-key file \(path) or its directory")
        case ENOENT, ENOTDIR, ELOOP:
            return CommandFailure(
                .noInput,
                isLink
                    ? "the master-key file \(path) is a symbolic link, and what it leads to is not there"
                    : "there is no master-key file at \(path); 'keybearer init' makes one, or restore it from its backup"
            )
        default:
            return CommandFailure(
                .noInput, "the master-key file \(path) cannot be opened: \(String(cString: strerror(code)))")
        }
    }

    /// The file itself, where the path leads to it through symbolic links.
    private var target: String {
        var link = stat()
        guard lstat(path, &link) == 0, link.st_mode & S_IFMT == S_IFLNK, let real = realpath(path, nil) else {
            return path
        }
        defer { free(real) }
        return String(cString: real)
    }

    /// Whether a file, or a symbolic link, has this name already.
    var isThere: Bool {
        var information = stat()
        return lstat(path, &information) == 0
    }

    /// Writes the ring. A crash, or a loss of power, leaves the old file or the new one, whole; the new one once this
    /// returns.
    ///
    /// - Parameter replacing: whether a file may be there already.
    func save(_ ring: MasterKeyRing, replacing: Bool) throws {
        // A link stays a link: the file that it leads to is replaced.
        let target = target
        if !replacing, isThere {
            throw CommandFailure(.cannotCreate, "there is a master-key file at \(path) already")
        }
        // A new file is made by several processes at the same time in the worst case; each has a name of its own for
        // it.
        let temporary = target + (replacing ? ".new" : ".new-\(ProcessInfo.processInfo.processIdentifier)")
        try? FileManager.default.removeItem(atPath: temporary)
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL, 0o600)
        guard descriptor >= 0 else { throw Self.unwritten(temporary, errno) }
        // Whatever fails, no second file with the master keys stays.
        defer { unlink(temporary) }
        let isWritten =
            Self.writeAll(Array(MasterKeyFormat.format(ring).utf8), to: descriptor) && fsync(descriptor) == 0
        let code = errno
        close(descriptor)
        guard isWritten else { throw Self.unwritten(temporary, code) }
        // A link is never put over a file that somebody else made meanwhile.
        let isInPlace = (replacing ? rename(temporary, target) : link(temporary, target)) == 0
        guard isInPlace else { throw Self.unwritten(path, errno) }
        try Self.syncDirectory(of: target)
    }

    private static func writeAll(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }

    private static func unwritten(_ path: String, _ code: Int32) -> CommandFailure {
        CommandFailure(.cannotCreate, "cannot write \(path): \(String(cString: strerror(code)))")
    }

    /// The rename itself must be on disk before anything is sealed under a new master key.
    private static func syncDirectory(of path: String) throws {
        let directory = URL(fileURLWithPath: path).deletingLastPathComponent().path
        let descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw CommandFailure(.cannotCreate, "cannot open the directory \(directory)") }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else {
            throw CommandFailure(.cannotCreate, "cannot write the directory of \(path) to disk")
        }
    }

    /// Keeps other commands on this machine from changing the file.
    ///
    /// - Throws: ``CommandFailure`` when one does so at this moment.
    func lock() throws -> Lock {
        let lockPath = target + ".lock"
        let descriptor = open(lockPath, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw CommandFailure(.cannotCreate, "cannot write \(lockPath)") }
        var (held, there) = (stat(), stat())
        // One that ended meanwhile took its file away: that lock keeps nobody out.
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0, fstat(descriptor, &held) == 0, stat(lockPath, &there) == 0,
            held.st_ino == there.st_ino
        else {
            close(descriptor)
            throw CommandFailure(
                .temporary, "another command is changing the master-key file \(path); wait for its end")
        }
        return Lock(descriptor: descriptor, path: lockPath)
    }

    /// Held until it is released, or the process ends.
    struct Lock {
        fileprivate let descriptor: Int32
        fileprivate let path: String

        func release() {
            unlink(path)
            close(descriptor)
        }
    }

    static func explanation(_ error: MasterKeyRingError) -> String {
        switch error {
        case .empty: "holds no key"
        case .repeatedID: "has two keys of one id, or two active ones"
        case .wrongLength(let id): "has a key \(id) that is not 32 bytes long"
        case .sample(let id): "has a key \(id) that is a sample or not random; make one with 'keybearer init'"
        case .noActiveMaster: "marks no master key as active"
        case .malformedLine(let line): "cannot be understood in line \(line)"
        }
    }
}
