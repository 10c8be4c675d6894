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

/// Listens as a PostgreSQL would and answers every connection in one way: for what a real server cannot be brought to
/// say.
package final class FakePostgres: Sendable {
    /// What it answers.
    package enum Response: Sendable {
        /// Nothing at all.
        case silence
        /// A failure, as PostgreSQL reports it before a session begins.
        case failure(state: String, message: String)
        /// A session begins, with what the server reports of itself; then silence.
        case session([String: String])
        /// A session begins, and the first statement in it fails.
        case sessionThatFails([String: String], state: String, message: String)
    }

    /// Where it listens, on 127.0.0.1.
    package var port: Int { listener.port }
    private let listener: LoopbackListener
    private let connections = Lock<[Int32]>([])

    /// Begins to listen on a free port.
    package init(_ response: Response) throws {
        listener = try LoopbackListener()
        listener.start { [weak self] connection in
            self?.connections.withLock { $0.append(connection) }
            Self.serve(connection, response)
        }
    }

    deinit {
        for connection in connections.withLock({ $0 }) { close(connection) }
    }

    /// How many connections were made.
    package var connectionCount: Int { connections.withLock { $0.count } }

    private static func serve(_ connection: Int32, _ response: Response) {
        if case .silence = response { return }
        while let code = readStartup(connection) {
            // Requests for encryption, which it has none of.
            if code == 80_877_103 || code == 80_877_104 {
                send(connection, [UInt8(ascii: "N")])
                continue
            }
            switch response {
            case .silence: break
            case .failure(let state, let message):
                send(connection, failure("FATAL", state, message))
                shutdown(connection, Int32(SHUT_WR))
            case .session(let parameters): send(connection, beginning(parameters))
            case .sessionThatFails(let parameters, let state, let message):
                send(connection, beginning(parameters))
                // What is asked does not matter: the answer ends all of it.
                var byte: UInt8 = 0
                guard recv(connection, &byte, 1, 0) == 1 else { return }
                send(connection, failure("ERROR", state, message) + isReady)
            }
            return
        }
    }

    private static let isReady = packet("Z", [UInt8(ascii: "I")])

    private static func beginning(_ parameters: [String: String]) -> [UInt8] {
        packet("R", [0, 0, 0, 0]) + parameters.flatMap { packet("S", text($0.key) + text($0.value)) }
            + packet("K", [0, 0, 0, 1, 0, 0, 0, 2]) + isReady
    }

    private static func failure(_ severity: String, _ state: String, _ message: String) -> [UInt8] {
        packet("E", text("S\(severity)") + text("V\(severity)") + text("C\(state)") + text("M\(message)") + [0])
    }

    /// The code at the beginning of a connection's first packets.
    private static func readStartup(_ connection: Int32) -> UInt32? {
        func read(_ count: Int) -> [UInt8]? {
            var bytes = [UInt8](repeating: 0, count: count)
            guard recv(connection, &bytes, count, Int32(MSG_WAITALL)) == count else { return nil }
            return bytes
        }
        func number(_ bytes: ArraySlice<UInt8>) -> UInt32 { bytes.reduce(0) { $0 << 8 | UInt32($1) } }
        guard let length = read(4).map({ Int(number($0[...])) }), (8...10_000).contains(length),
            let rest = read(length - 4)
        else { return nil }
        return number(rest[..<4])
    }

    private static func text(_ text: String) -> [UInt8] { Array(text.utf8) + [0] }

    private static func packet(_ kind: Character, _ body: [UInt8]) -> [UInt8] {
        let length = UInt32(body.count + 4).bigEndian
        return Array(String(kind).utf8) + withUnsafeBytes(of: length) { Array($0) } + body
    }

    private static func send(_ connection: Int32, _ bytes: [UInt8]) { _ = write(connection, bytes, bytes.count) }
}
