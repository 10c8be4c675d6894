import Foundation
import Keybearer
import NIOCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// The file of a Unix socket that this process listens on.
///
/// A socket that somebody listens on is never taken and never removed; one that was left over is. Whoever looks and binds holds a
/// lock on the folder meanwhile, so that two processes that start together do not take each other's.
struct UnixSocketFile: Sendable {
    private let path: String
    private let inode: UInt64

    /// Binds a socket, in the place of one that nobody listens on.
    ///
    /// - Throws: `CONFLICT` when somebody listens there, or a file of another kind is there.
    static func bind(
        _ path: String, _ bind: () async throws -> any Channel
    ) async throws -> (any Channel, UnixSocketFile?) {
        let lock = lockFolder(of: path)
        defer { unlock(lock) }
        try removeLeftover(path)
        let channel = try await bind()
        // The owner and the group: whoever may open the file is believed like a trusted proxy.
        try FileManager.default.setAttributes([.posixPermissions: 0o660], ofItemAtPath: path)
        return (channel, inode(of: path).map { UnixSocketFile(path: path, inode: $0.number) })
    }

    /// Removes the file, unless it is another's by now.
    func remove() {
        let lock = Self.lockFolder(of: path)
        defer { Self.unlock(lock) }
        guard let found = Self.inode(of: path), found.isSocket, found.number == inode else { return }
        _ = unlink(path)
    }

    private static func removeLeftover(_ path: String) throws {
        guard let found = inode(of: path) else { return }
        guard found.isSocket else {
            throw KeybearerError(.conflict, "\(path) is there already and is no socket. It was left as it is.")
        }
        guard !isListenedOn(path) else {
            throw KeybearerError(.conflict, "Another process listens on unix:\(path).")
        }
        _ = unlink(path)
    }

    /// Whether a connection can be made. A refusal is the only proof that nobody listens.
    private static func isListenedOn(_ path: String) -> Bool {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return true }
        defer { close(descriptor) }
        guard let address = try? SocketAddress(unixDomainSocketPath: path) else { return true }
        let result = address.withSockAddr { pointer, length in connect(descriptor, pointer, socklen_t(length)) }
        return result == 0 || errno != ECONNREFUSED
    }

    private static func inode(of path: String) -> (number: UInt64, isSocket: Bool)? {
        var status = stat()
        guard lstat(path, &status) == 0 else { return nil }
        return (UInt64(status.st_ino), status.st_mode & S_IFMT == S_IFSOCK)
    }

    private static func lockFolder(of path: String) -> Int32 {
        let folder = open((path as NSString).deletingLastPathComponent, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        if folder >= 0 { _ = flock(folder, LOCK_EX) }
        return folder
    }

    private static func unlock(_ folder: Int32) {
        if folder >= 0 { close(folder) }
    }
}
