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
    }

    /// How many names are resolved at a time.
    static let mostThreads = 64

    private typealias Outcome = Result<[IPAddress], Failure>

    private struct State {
        var waiting: [String: [Int: CheckedContinuation<Outcome, Never>]] = [:]
        var lastNumber = 0
    }

    private let state = Lock(State())
    private let lookUp: @Sendable (String) -> Result<[IPAddress], Failure>

    /// - Parameter lookUp: blocks until it knows.
    package init(lookUp: @escaping @Sendable (String) -> Result<[IPAddress], Failure> = HostResolver.askSystem) {
        self.lookUp = lookUp
    }

    /// All addresses of a name.
    package func addresses(of host: String, within span: Duration) async throws(Failure) -> [IPAddress] {
        let number = state.withLock { state in
            state.lastNumber += 1
            return state.lastNumber
        }
        let timer = Task {
            try await Task.sleep(for: span)
            finish(host, number, .failure(.failed))
        }
        defer { timer.cancel() }
        let outcome = await withCheckedContinuation { continuation in wait(for: host, number, continuation) }
        return try outcome.get()
    }

    private enum Turn {
        case first
        case joined
        case refused
    }

    private func wait(for host: String, _ number: Int, _ continuation: CheckedContinuation<Outcome, Never>) {
        let turn = state.withLock { state -> Turn in
            let isNew = state.waiting[host] == nil
            if isNew, state.waiting.count >= Self.mostThreads { return .refused }
            state.waiting[host, default: [:]][number] = continuation
            return isNew ? .first : .joined
        }
        switch turn {
        case .joined: break
        case .refused: continuation.resume(returning: .failure(.busy))
        case .first:
            Thread.detachNewThread { [self] in
                let outcome = lookUp(host)
                let waiting = state.withLock { state in state.waiting.removeValue(forKey: host) }
                for each in (waiting ?? [:]).values { each.resume(returning: outcome) }
            }
        }
    }

    /// Lets one go who has waited for long enough. The thread goes on, and its entry stays until it ends.
    private func finish(_ host: String, _ number: Int, _ outcome: Outcome) {
        let continuation = state.withLock { state in state.waiting[host]?.removeValue(forKey: number) }
        continuation?.resume(returning: outcome)
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
        guard status == 0 else { return .failure(isFinal(status) ? .unknownHost : .failed) }
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
