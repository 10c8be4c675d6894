import Foundation
import Keybearer

/// The file with the ring of master keys: mode 0600, written by replacing it whole.
struct MasterKeyFile: Sendable {
    let path: String

    /// Reads the ring.
    ///
    /// - Throws: ``CommandFailure`` when the file is missing, open to others, or not a ring. A start without its master
    ///   keys, or with sample ones, is refused.
    func load() throws -> MasterKeyRing {
        guard let attributes = try? FileManager.default.attributesOfItem(atPath: path) else {
            var information = stat()
            if stat(path, &information) != 0, errno == EACCES {
                throw CommandFailure(
                    .noPermission, "this user may not read the master-key file \(path) or its directory")
            }
            throw CommandFailure(
                .noInput,
                "there is no master-key file at \(path); 'keybearer init' makes one, or restore it from its backup")
        }
        let mode = (attributes[.posixPermissions] as? NSNumber)?.intValue ?? 0
        guard mode & 0o077 == 0 else {
            throw CommandFailure(
                .noPermission, "the master-key file \(path) can be read by others; run: chmod 600 \(path)")
        }
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
            throw CommandFailure(.noPermission, "the master-key file \(path) cannot be read")
        }
        do {
            return try MasterKeyFormat.parse(text)
        } catch {
            throw CommandFailure(.configuration, "the master-key file \(path) \(Self.explanation(error))")
        }
    }

    /// Writes the ring. A crash, or a loss of power, leaves the old file or the new one, whole; the new one once this
    /// returns.
    ///
    /// - Parameter replacing: whether a file may be there already.
    func save(_ ring: MasterKeyRing, replacing: Bool) throws {
        let target = URL(fileURLWithPath: path)
        if !replacing, FileManager.default.fileExists(atPath: path) {
            throw CommandFailure(.cannotCreate, "there is a master-key file at \(path) already")
        }
        // A new file is made by several processes at once in the worst case; each has a name of its own for it.
        let temporary = path + (replacing ? ".new" : ".new-\(ProcessInfo.processInfo.processIdentifier)")
        try? FileManager.default.removeItem(atPath: temporary)
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL, 0o600)
        guard descriptor >= 0 else { throw CommandFailure(.cannotCreate, "cannot write \(temporary)") }
        let handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        try handle.write(contentsOf: Data(MasterKeyFormat.format(ring).utf8))
        try handle.synchronize()
        defer { if !replacing { unlink(temporary) } }
        // A link is never put over a file that somebody else made meanwhile.
        let isInPlace = (replacing ? rename(temporary, target.path) : link(temporary, target.path)) == 0
        guard isInPlace else { throw CommandFailure(.cannotCreate, "cannot write \(path)") }
        try syncDirectory()
    }

    /// The rename itself must be on disk before anything is sealed under a new master key.
    private func syncDirectory() throws {
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
        let lockPath = path + ".lock"
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
