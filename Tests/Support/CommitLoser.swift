import Foundation
import Keybearer
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// Stands before a PostgreSQL and loses one answer: that to the commit of the transaction that fills a table. The server
/// has committed by then, and the client cannot know.
public final class CommitLoser: Sendable {
    /// Where it listens, on 127.0.0.1.
    public let port: Int
    private let listener: Int32
    private let plan: Plan

    /// What is lost, and what has been.
    private final class Plan: Sendable {
        private struct State {
            var hasLost = false
            var refusals: Int
        }
        private let state: Lock<State>
        let mark: Data

        init(table: String, refusals: Int) {
            mark = Data("INSERT INTO \(table) ".utf8)
            state = Lock(State(refusals: refusals))
        }

        var hasLost: Bool { state.withLock { $0.hasLost } }

        /// Whether this is the answer to lose.
        func loses() -> Bool {
            state.withLock { state in
                defer { state.hasLost = true }
                return !state.hasLost
            }
        }

        func refuses() -> Bool {
            state.withLock { state in
                guard state.hasLost, state.refusals > 0 else { return false }
                state.refusals -= 1
                return true
            }
        }
    }

    /// Begins to listen on a free port.
    ///
    /// - Parameters:
    ///   - serverPort: the server's port on 127.0.0.1. It is spoken to without encryption.
    ///   - refusals: how many connections are turned away behind the lost answer.
    public init(before serverPort: Int, filling table: String, thenRefusing refusals: Int) throws {
        let plan = Plan(table: table, refusals: refusals)
        let listener = Self.makeSocket()
        var address = Self.address(port: 0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let outcome = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer -> Int32 in
                guard bind(listener, pointer, length) == 0, listen(listener, 16) == 0 else { return -1 }
                return getsockname(listener, pointer, &length)
            }
        }
        guard outcome == 0 else { throw CocoaError(.fileWriteUnknown) }
        port = Int(UInt16(bigEndian: address.sin_port))
        self.listener = listener
        self.plan = plan
        Thread.detachNewThread {
            while true {
                let client = accept(listener, nil, nil)
                guard client >= 0 else { return }
                if plan.refuses() { close(client) } else { Relay(client, serverPort, plan)?.run() }
            }
        }
    }

    deinit {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }

    /// Whether the answer was lost.
    public var hasLost: Bool { plan.hasLost }

    private static func makeSocket() -> Int32 {
        #if canImport(Darwin)
        socket(AF_INET, SOCK_STREAM, 0)
        #else
        socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        #endif
    }

    private static func address(port: Int) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(port).bigEndian)
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        return address
    }

    /// One connection, and the one to the server behind it. Both close when nobody uses them any more.
    private final class Relay: Sendable {
        private let client: Int32
        private let server: Int32
        private let plan: Plan
        private let isFilling = Atomic<Bool>(false)

        init?(_ client: Int32, _ serverPort: Int, _ plan: Plan) {
            self.client = client
            self.plan = plan
            server = CommitLoser.makeSocket()
            var address = CommitLoser.address(port: serverPort)
            let descriptor = server
            let outcome = withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
            guard outcome == 0 else { return nil }
        }

        deinit {
            close(client)
            close(server)
        }

        func run() {
            Thread.detachNewThread { [self] in
                pass(from: client, to: server) { bytes in
                    if bytes.range(of: plan.mark) != nil { isFilling.store(true, ordering: .relaxed) }
                    return true
                }
            }
            Thread.detachNewThread { [self] in
                pass(from: server, to: client) { bytes in
                    let isCommitted =
                        isFilling.load(ordering: .relaxed) && bytes.range(of: Data("COMMIT\0".utf8)) != nil
                    return !isCommitted || !plan.loses()
                }
            }
        }

        /// Passes on what comes until one side ends, or what came is not to be passed on.
        private func pass(from source: Int32, to target: Int32, while mayPass: (Data) -> Bool) {
            var buffer = [UInt8](repeating: 0, count: 65_536)
            reading: while true {
                let count = read(source, &buffer, buffer.count)
                guard count > 0, mayPass(Data(buffer[..<count])) else { break }
                var sent = 0
                while sent < count {
                    let written = buffer.withUnsafeBytes { bytes in
                        bytes.baseAddress.map { send(target, $0 + sent, count - sent, Int32(MSG_NOSIGNAL)) } ?? -1
                    }
                    guard written > 0 else { break reading }
                    sent += written
                }
            }
            shutdown(client, Int32(SHUT_RDWR))
            shutdown(server, Int32(SHUT_RDWR))
        }
    }
}
