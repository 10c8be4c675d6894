import Foundation
import KeybearerServer

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// The host that stands for all addresses of this machine.
enum AllAddresses {
    /// `::` takes IPv4 connections as well; a machine without IPv6 has only `0.0.0.0`.
    static let host: String = {
        let descriptor = socket(AF_INET6, streamSocket, 0)
        guard descriptor >= 0 else { return "0.0.0.0" }
        defer { close(descriptor) }
        var address = sockaddr_in6()
        address.sin6_family = sa_family_t(AF_INET6)
        let isBound = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in6>.size)) == 0
            }
        }
        return isBound ? "::" : "0.0.0.0"
    }()

    #if canImport(Darwin)
    static let streamSocket = SOCK_STREAM
    #else
    static let streamSocket = Int32(SOCK_STREAM.rawValue)
    #endif
}

/// Looks why a server could not listen: the library's error does not say on which of its addresses.
enum ListenProblem {
    /// Why nothing can listen there now; nil when it could.
    static func find(_ address: GateSettings.Address) -> String? {
        switch address {
        case .network(let host, let port): find(host: host, port: port)
        case .unixSocket(let path): find(socket: path)
        }
    }

    private static func find(socket path: String) -> String? {
        let directory = URL(fileURLWithPath: path).deletingLastPathComponent().path
        guard access(directory, F_OK) == 0 else {
            return "the directory \(directory): \(String(cString: strerror(errno)))"
        }
        guard access(directory, W_OK) == 0 else { return "this user may not write to the directory \(directory)" }
        // Of the path itself, also where it is a link.
        guard let found = try? FileManager.default.attributesOfItem(atPath: path) else { return nil }
        let isSocket = found[.type] as? FileAttributeType == .typeSocket
        return isSocket ? nil : "there is a file that is no socket; choose another path"
    }

    private static func find(host: String, port: Int) -> String? {
        var hints = addrinfo()
        hints.ai_socktype = AllAddresses.streamSocket
        hints.ai_flags = AI_PASSIVE
        var found: UnsafeMutablePointer<addrinfo>?
        let status = getaddrinfo(host, String(port), &hints, &found)
        guard status == 0, let first = found else {
            return "the host '\(host)' is unknown (\(String(cString: gai_strerror(status))))"
        }
        defer { freeaddrinfo(found) }
        let descriptor = socket(first.pointee.ai_family, first.pointee.ai_socktype, first.pointee.ai_protocol)
        guard descriptor >= 0 else { return reason(errno, port: port) }
        defer { close(descriptor) }
        var on: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
        let isFree =
            bind(descriptor, first.pointee.ai_addr, first.pointee.ai_addrlen) == 0 && listen(descriptor, 1) == 0
        return isFree ? nil : reason(errno, port: port)
    }

    private static func reason(_ code: Int32, port: Int) -> String {
        switch code {
        case EADDRINUSE: "another process listens there; stop it, or choose another port"
        case EACCES: "this user may not listen on port \(port)"
        case EADDRNOTAVAIL: "this machine does not have that address"
        default: String(cString: strerror(code))
        }
    }
}
