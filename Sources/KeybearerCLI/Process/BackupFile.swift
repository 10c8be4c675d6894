import Foundation
import Keybearer

/// A backup as a file, sealed for an operator's key or not.
struct BackupFile {
    let path: String

    /// Whether it is sealed.
    ///
    /// - Throws: ``CommandFailure`` when it cannot be read.
    var isSealed: Bool {
        get throws {
            let handle = try open()
            defer { try? handle.close() }
            return SealedBackup.isSealed(try handle.read(upToCount: SealedBackup.markBytes) ?? Data())
        }
    }

    /// Makes a file that does not exist yet, which its owner alone may read, of what a body writes. It is on the disk when
    /// this returns, and gone when the body throws.
    private static func create(_ path: String, _ body: (FileHandle) throws -> Void) throws {
        let descriptor = Foundation.open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            if errno == EEXIST { throw CommandFailure(.dataError, "\(path) exists already; nothing was written") }
            throw CommandFailure(.cannotCreate, "cannot write \(path): \(String(cString: strerror(errno)))")
        }
        let handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        do {
            try body(handle)
            try handle.synchronize()
            try handle.close()
        } catch {
            remove(path)
            throw error
        }
    }

    /// Removes a copy, if it is there.
    static func remove(_ path: String) { try? FileManager.default.removeItem(atPath: path) }

    /// Writes it sealed into a new file.
    func seal(to sealed: String, for recipient: BackupRecipient) throws {
        let source = try open()
        defer { try? source.close() }
        try Self.create(sealed) { target in
            try SealedBackup.seal(
                for: recipient, reading: { Array(try source.read(upToCount: $0) ?? Data()) },
                writing: { try target.write(contentsOf: $0) })
        }
    }

    /// Writes it opened into a new file.
    func open(to opened: String, with identity: BackupIdentity) throws {
        let source = try open()
        defer { try? source.close() }
        do {
            try Self.create(opened) { target in
                try SealedBackup.open(
                    with: identity, reading: { Array(try source.read(upToCount: $0) ?? Data()) },
                    writing: { try target.write(contentsOf: $0) })
            }
        } catch let problem as SealedBackup.Problem {
            throw CommandFailure(.dataError, "\(path) cannot be opened: \(problem)")
        }
    }

    /// Runs a body with the path of the backup in the clear: its own, or that of a copy beside the database, which is removed
    /// behind it.
    func withOpened<Value>(
        identity: String?, beside database: String, _ body: (String) async throws -> Value
    ) async throws -> Value {
        guard try isSealed else { return try await body(path) }
        guard let identity else {
            throw CommandFailure(.usage, "\(path) is encrypted; name the file of its private key with --identity")
        }
        let opened = database + ".opening"
        // One that a crash left behind.
        Self.remove(opened)
        defer { Self.remove(opened) }
        try open(to: opened, with: try Self.identity(in: identity))
        return try await body(opened)
    }

    /// Reads the file of a private key.
    static func identity(in path: String) throws -> BackupIdentity {
        let attributes = try? FileManager.default.attributesOfItem(atPath: path)
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
            throw CommandFailure(.noInput, "cannot read \(path)")
        }
        guard let identity = BackupIdentity(fileText: text) else {
            throw CommandFailure(.dataError, "\(path) holds no private key of backups")
        }
        let mode = (attributes?[.posixPermissions] as? NSNumber)?.intValue ?? 0
        guard mode & 0o077 == 0 else {
            throw CommandFailure(.noPermission, "\(path) can be read by others; run: chmod 600 \(path)")
        }
        return identity
    }

    /// Makes the file of a new private key.
    static func makeIdentity(at path: String) throws -> BackupRecipient {
        let identity = BackupIdentity()
        try create(path) { try $0.write(contentsOf: Data(identity.fileText.utf8)) }
        return identity.recipient
    }

    private func open() throws -> FileHandle {
        guard let handle = FileHandle(forReadingAtPath: path) else {
            throw CommandFailure(.noInput, "cannot read \(path)")
        }
        return handle
    }
}
