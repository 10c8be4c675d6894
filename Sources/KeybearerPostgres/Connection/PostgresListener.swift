import CLibPQ
import Dispatch
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

/// Listens for hints that something changed, on a connection and a thread of its own.
///
/// A hint makes a node look sooner; nothing depends on it. Where the server knows no LISTEN, or a pooler in between
/// swallows it, polling does the same a few milliseconds later.
final class PostgresListener: Sendable {
    /// Where changes and recalls are announced, without saying what changed.
    static let channel = "keybearer"
    private static let pause: Duration = .seconds(1)

    private let address: String
    private let notifier: ChangeNotifier
    private let isClosed = Atomic<Bool>(false)
    private let ended = DispatchSemaphore(value: 0)

    init(to address: String, notifier: ChangeNotifier) {
        self.address = address
        self.notifier = notifier
        let thread = Thread { [self] in
            while !isClosed.load(ordering: .acquiring) {
                try? listen()
                // Between two attempts, and no longer than a stop can wait.
                for _ in 0..<10 where !isClosed.load(ordering: .acquiring) {
                    Thread.sleep(forTimeInterval: 0.1)
                }
            }
            ended.signal()
        }
        thread.name = "keybearer listen"
        thread.start()
    }

    /// Ends the thread, within a fraction of a second.
    func close() {
        isClosed.store(true, ordering: .releasing)
        ended.wait()
    }

    /// Listens until the connection is lost.
    private func listen() throws {
        let connection = try PostgresConnection(
            to: address, name: "keybearer listen", patience: .init(roundTrip: PostgresEngine.patience, lock: Self.pause)
        )
        try connection.execute("LISTEN \(Self.channel)")
        // What was announced while nobody listened.
        notifier.notify()
        while !isClosed.load(ordering: .acquiring) {
            if try connection.awaitNotifications(atMost: .milliseconds(200)) { notifier.notify() }
        }
    }
}

extension PostgresConnection {
    /// Takes all notifications that arrive within the span; answers whether there were any.
    func awaitNotifications(atMost span: Duration) throws -> Bool {
        var descriptor = pollfd(fd: PQsocket(pointer), events: Int16(POLLIN), revents: 0)
        let count = poll(&descriptor, 1, Int32(span.wholeMilliseconds))
        if count > 0, PQconsumeInput(pointer) != 1 {
            throw PostgresFailure(state: nil, message: "the connection was lost")
        }
        var isNotified = false
        while let notification = PQnotifies(pointer) {
            PQfreemem(notification)
            isNotified = true
        }
        return isNotified
    }
}
