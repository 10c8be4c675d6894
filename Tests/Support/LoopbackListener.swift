import Foundation

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// TCP on 127.0.0.1.
enum Loopback {
    /// A socket that no program that is started gets.
    static func makeSocket() -> Int32 {
        #if canImport(Darwin)
        let descriptor = socket(AF_INET, SOCK_STREAM, 0)
        var one: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_NOSIGPIPE, &one, socklen_t(MemoryLayout<Int32>.size))
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        return descriptor
        #else
        return socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        #endif
    }

    /// Connects a socket to a port; answers whether it could.
    static func connects(_ descriptor: Int32, to port: Int) -> Bool {
        withAddress(port: port) { address, length in connect(descriptor, address, length.pointee) }.outcome == 0
    }

    fileprivate static func withAddress(
        port: Int, _ body: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Int32
    ) -> (outcome: Int32, port: Int) {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(port).bigEndian)
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let outcome = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, &length) }
        }
        return (outcome, Int(UInt16(bigEndian: address.sin_port)))
    }
}

/// Listens on a free port of 127.0.0.1 until it is released.
final class LoopbackListener: Sendable {
    /// Where it listens.
    let port: Int
    private let descriptor: Int32

    init() throws {
        let descriptor = Loopback.makeSocket()
        let (outcome, port) = Loopback.withAddress(port: 0) { address, length in
            guard bind(descriptor, address, length.pointee) == 0, listen(descriptor, 16) == 0 else { return -1 }
            return getsockname(descriptor, address, length)
        }
        guard outcome == 0 else {
            close(descriptor)
            throw CocoaError(.fileWriteUnknown)
        }
        (self.port, self.descriptor) = (port, descriptor)
    }

    /// Hands over each connection, in a thread of its own for all of them.
    func start(_ serve: @escaping @Sendable (Int32) -> Void) {
        let descriptor = descriptor
        Thread.detachNewThread {
            while true {
                let connection = accept(descriptor, nil, nil)
                guard connection >= 0 else { return }
                serve(connection)
            }
        }
    }

    deinit {
        shutdown(descriptor, Int32(SHUT_RDWR))
        close(descriptor)
    }
}
