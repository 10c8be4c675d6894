import Foundation
package import Keybearer
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// Resolves names with the system's resolver, on threads of its own and with a limit of time.
///
/// The system's resolver blocks, and cannot be stopped. So a name server that hangs holds a thread, and never more than one
/// for each name: who asks for the same name meanwhile waits for the same answer. Names that hang are bounded in all.
package final class HostResolver: Sendable {
    /// Why there are no addresses.
    package enum Failure: Error, Sendable, Hashable {
        /// The name has none.
        case unknownHost
        /// The name server failed or did not answer in time.
        case failed
        /// Too many names are being resolved.
        case busy
        /// This machine has no file or no memory to ask.
        case powerless
    }

    /// How many names attempts resolve at a time.
    static let mostThreads = 64
    /// So many of them are kept for names that were resolved before: whoever invents names that hang delays no one whose
    /// name is known.
    static let keptThreads = 32
    /// How many names are remembered.
    private static let mostKnown = 10_000

    private typealias Outcome = Result<[IPAddress], Failure>

    /// Who asks for a name.
    private struct Caller {
        let number: Int
        let host: String
        let continuation: CheckedContinuation<Outcome, Never>
    }

    private struct State {
        /// Those who wait for the answer about a name, which a thread asks for.
        var asking: [String: [Int: Caller]] = [:]
        /// Those who wait for a thread, the first one first.
        var queue: [Caller] = []
        var lastNumber = 0
        /// Names that were resolved, and did not hang since.
        var known: Set<String> = []
    }

    private let state = Lock(State())
    private let lookUp: @Sendable (String) -> Result<[IPAddress], Failure>
    private let mostThreads: Int
    private let keptThreads: Int

    /// - Parameters:
    ///   - lookUp: blocks until it knows.
    ///   - mostThreads: how many names are resolved at a time.
    ///   - keptThreads: so many of them are kept for names that were resolved before.
    package init(
        mostThreads: Int = HostResolver.mostThreads, keptThreads: Int = HostResolver.keptThreads,
        lookUp: @escaping @Sendable (String) -> Result<[IPAddress], Failure> = HostResolver.askSystem
    ) {
        (self.mostThreads, self.keptThreads, self.lookUp) = (mostThreads, keptThreads, lookUp)
    }

    /// How long a name waits for a thread.
    private static let patience: Duration = .seconds(3)
    /// How many wait for one.
    private static let mostQueued = 1_000

    /// All addresses of a name.
    ///
    /// - Throws: ``Failure/busy`` where no thread became free within a few seconds.
    package func addresses(of host: String, within span: Duration) async throws(Failure) -> [IPAddress] {
        let number = state.withLock { state in
            state.lastNumber += 1
            return state.lastNumber
        }
        let timer = Lock<Task<Void, any Error>?>(nil)
        let outcome = await withCheckedContinuation { continuation in
            begin(Caller(number: number, host: host, continuation: continuation))
            // Behind that, or it could end what has not begun.
            let task = Task {
                try await Task.sleep(for: min(span, Self.patience))
                leaveQueue(number)
                try await Task.sleep(for: max(.zero, span - Self.patience))
                finish(host, number)
            }
            timer.withLock { $0 = task }
        }
        timer.withLock { $0?.cancel() }
        return try outcome.get()
    }

    private func begin(_ caller: Caller) {
        let isNew = state.withLock { state -> Bool? in
            if state.asking[caller.host] != nil {
                state.asking[caller.host]?[caller.number] = caller
                return false
            }
            if hasRoom(for: caller.host, state) {
                state.asking[caller.host] = [caller.number: caller]
                return true
            }
            guard state.queue.count < Self.mostQueued else { return nil }
            state.queue.append(caller)
            return false
        }
        switch isNew {
        case true?: start(caller.host)
        case false?: break
        case nil: caller.continuation.resume(returning: .failure(.busy))
        }
    }

    private func hasRoom(for host: String, _ state: borrowing State) -> Bool {
        state.asking.count < (state.known.contains(host) ? mostThreads : mostThreads - keptThreads)
    }

    private func start(_ host: String) {
        Thread.detachNewThread { [self] in
            let outcome = lookUp(host)
            let (waiting, next) = state.withLock { state in
                let waiting = state.asking.removeValue(forKey: host) ?? [:]
                if case .success = outcome, !waiting.isEmpty {
                    if state.known.count >= Self.mostKnown { state.known.removeFirst() }
                    state.known.insert(host)
                }
                return (waiting, admit(&state))
            }
            for each in waiting.values { each.continuation.resume(returning: outcome) }
            for host in next { start(host) }
        }
    }

    /// Gives threads to those who wait for one.
    ///
    /// - Returns: the names that are new.
    private func admit(_ state: inout State) -> [String] {
        var (started, left) = ([String](), [Caller]())
        for caller in state.queue {
            if state.asking[caller.host] != nil {
                state.asking[caller.host]?[caller.number] = caller
            } else if hasRoom(for: caller.host, state) {
                state.asking[caller.host] = [caller.number: caller]
                started.append(caller.host)
            } else {
                left.append(caller)
            }
        }
        state.queue = left
        return started
    }

    /// Lets one go who has waited for a thread for long enough.
    private func leaveQueue(_ number: Int) {
        let caller = state.withLock { state in
            state.queue.firstIndex { $0.number == number }.map { state.queue.remove(at: $0) }
        }
        caller?.continuation.resume(returning: .failure(.busy))
    }

    /// Lets one go who has waited for an answer for long enough. The thread goes on, and its entry stays until it ends.
    private func finish(_ host: String, _ number: Int) {
        let caller = state.withLock { state in
            let caller = state.asking[host]?.removeValue(forKey: number)
            // It hangs: it has no claim to the threads that are kept any more.
            if caller != nil { state.known.remove(host) }
            return caller
        }
        caller?.continuation.resume(returning: .failure(.failed))
    }

    /// Asks the system's resolver: files and name servers, as its configuration says.
    package static func askSystem(_ host: String) -> Result<[IPAddress], Failure> {
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        #if canImport(Glibc)
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        #else
        hints.ai_socktype = SOCK_STREAM
        #endif
        // Only families that this machine can call.
        hints.ai_flags = AI_ADDRCONFIG
        var list: UnsafeMutablePointer<addrinfo>?
        let status = getaddrinfo(host, nil, &hints, &list)
        guard status == 0 else {
            // No memory or no file for the question is our own fault.
            if status == EAI_SYSTEM || status == EAI_MEMORY { return .failure(.powerless) }
            return .failure(isFinal(status) ? .unknownHost : .failed)
        }
        defer { freeaddrinfo(list) }
        var addresses: [IPAddress] = []
        var next = list
        while let entry = next {
            if let address = address(of: entry.pointee), !addresses.contains(address) { addresses.append(address) }
            next = entry.pointee.ai_next
        }
        return addresses.isEmpty ? .failure(.unknownHost) : .success(addresses)
    }

    private static func isFinal(_ status: Int32) -> Bool {
        // glibc tells a name without addresses from one that is not: EAI_NODATA, which Swift does not see.
        #if canImport(Glibc)
        if status == -5 { return true }
        #endif
        return status == EAI_NONAME
    }

    /// The number of a socket's address; its zone and port are not wanted.
    private static func address(of entry: addrinfo) -> IPAddress? {
        var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        let status = getnameinfo(
            entry.ai_addr, entry.ai_addrlen, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST)
        guard status == 0 else { return nil }
        let bytes = text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        return IPAddress(zoned: String(decoding: bytes, as: UTF8.self))
    }
}
