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
/// A socket that somebody listens on is never taken and never removed; one that was left over is. Whoever looks and
/// binds holds a lock meanwhile, in a file beside it that nobody else can open, so that two processes that start
/// together do not take each other's.
struct UnixSocketFile: Sendable {
    private let path: String
    private let inode: UInt64

    private static let patience: Duration = .seconds(2)

    /// Binds a socket, in the place of one that nobody listens on.
    ///
    /// - Throws: `CONFLICT` when somebody listens there or is about to, or a file of another kind is there.
    static func bind(
        _ path: String, _ bind: () async throws -> any Channel
    ) async throws -> (any Channel, UnixSocketFile?) {
        let lock = try await lock(beside: path)
        defer { close(lock) }
        try removeLeftover(path)
        // Whoever may open the file is believed like a trusted proxy: nobody else from the first moment, then the group
        // too. The mask is the whole process's, and never wider than it was.
        let before = umask(0o177)
        defer { _ = umask(before) }
        let channel = try await bind()
        guard chmod(path, 0o660) == 0 else {
            let reason = String(cString: strerror(errno))
            try? await channel.close()
            throw KeybearerError(.conflict, "The permissions of \(path) cannot be set: \(reason).")
        }
        return (channel, inode(of: path).map { UnixSocketFile(path: path, inode: $0.number) })
    }

    /// Removes the file, while this process still listens on it.
    func remove() {
        guard let found = Self.inode(of: path), found.isSocket, found.number == inode else { return }
        _ = unlink(path)
    }

    private static func removeLeftover(_ path: String) throws {
        guard let found = inode(of: path) else { return }
        guard found.isSocket else {
            throw KeybearerError(
                .conflict, "\(path) is there already and is not a socket. Remove it, or choose another path.")
        }
        guard !isListenedOn(path) else {
            throw KeybearerError(
                .conflict, "Another process listens on unix:\(path). Stop it, or choose another path.")
        }
        _ = unlink(path)
    }

    /// Whether a connection can be made. A refusal is the only proof that nobody listens.
    private static func isListenedOn(_ path: String) -> Bool {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return true }
        defer { close(descriptor) }
        // A process that accepts nothing must not hold this one up.
        _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
        guard let address = try? SocketAddress(unixDomainSocketPath: path) else { return true }
        let result = address.withSockAddr { pointer, length in connect(descriptor, pointer, socklen_t(length)) }
        return result == 0 || errno != ECONNREFUSED
    }

    private static func inode(of path: String) -> (number: UInt64, isSocket: Bool)? {
        // Not by lstat: the compiler ascribes its structure to another module in some builds.
        guard let attributes = try? FileManager.default.attributesOfItem(atPath: path),
            let number = attributes[.systemFileNumber] as? NSNumber
        else { return nil }
        return (number.uint64Value, attributes[.type] as? FileAttributeType == .typeSocket)
    }

    private static func lock(beside path: String) async throws -> Int32 {
        let descriptor = open("\(path).lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else {
            throw KeybearerError(
                .conflict,
                "\(path).lock cannot be opened: \(String(cString: strerror(errno))). It must be writable by this user; remove it if "
                    + "another user left it.")
        }
        let giveUpAt = SteadyTime.systemNow().advanced(by: patience)
        while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
            guard SteadyTime.systemNow() < giveUpAt, !Task.isCancelled else {
                close(descriptor)
                throw KeybearerError(
                    .conflict, "Another process is starting on unix:\(path). Try again when it has started.")
            }
            try? await Task.sleep(for: .milliseconds(20))
        }
        return descriptor
    }
}
