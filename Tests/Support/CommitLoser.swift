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

/// Stands before a PostgreSQL and loses one answer: that to the commit of the transaction that fills a table. The
/// server has committed by then, and the client cannot know.
package final class CommitLoser: Sendable {
    /// Where it listens, on 127.0.0.1.
    package var port: Int { listener.port }
    private let listener: LoopbackListener
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
    package init(before serverPort: Int, filling table: String, thenRefusing refusals: Int) throws {
        let plan = Plan(table: table, refusals: refusals)
        self.plan = plan
        listener = try LoopbackListener()
        listener.start { client in
            if plan.refuses() {
                // A program that was started meanwhile may have the descriptor as well.
                shutdown(client, Int32(SHUT_RDWR))
                close(client)
            } else {
                Relay(client, serverPort, plan)?.run()
            }
        }
    }

    /// Whether the answer was lost.
    package var hasLost: Bool { plan.hasLost }

    /// One connection, and the one to the server behind it. Both close when nobody uses them any more.
    private final class Relay: Sendable {
        private let client: Int32
        private let server: Int32
        private let plan: Plan
        private let isFilling = Atomic<Bool>(false)

        init?(_ client: Int32, _ serverPort: Int, _ plan: Plan) {
            self.client = client
            self.plan = plan
            server = Loopback.makeSocket()
            guard Loopback.connects(server, to: serverPort) else { return nil }
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
