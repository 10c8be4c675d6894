import Keybearer
import Logging
import NIOCore
import Synchronization

/// Every open connection of a server's listeners: bounds how many there are, and tells them how time passes.
///
/// When the bound is reached, the oldest connection that has not sent a whole request gives way to the new one, or else
/// the one that has been idle for longest. So silent connections lock nobody out.
final class ConnectionRegistry: Sendable {
    /// How many connections there may be.
    struct Bounds: Sendable, Hashable {
        /// Of one listener together.
        var all: Int
        /// From one address, of one listener; IPv6 counts by its /64.
        var perAddress: Int

        /// Bounds for a share of the files that are there for connections.
        static func within(files: Int, share: Double) -> Bounds {
            // Each takes some tens of kilobytes with TLS: at some point memory is what runs out.
            let all = min(100_000, max(2, Int(Double(files) * share)))
            return Bounds(all: all, perAddress: max(min(8, all), all / 8))
        }
    }

    /// Whom a connection belongs to.
    struct Peer: Sendable, Hashable {
        /// nil on a Unix socket.
        let network: IPAddress?
        /// Whether it is exempt from the bound per address: the operator's own proxies, and the gate's gateways.
        let isExempt: Bool
    }

    struct ID: Sendable, Hashable {
        fileprivate let number: UInt64
    }

    /// For how many ticks a connection has been without a request. Written by its event loop, read by whoever looks for
    /// one that can give way.
    final class Idleness: Sendable {
        private let ticks = Atomic<Int>(0)

        func tick(isIdle: Bool) { ticks.store(isIdle ? ticks.load(ordering: .relaxed) + 1 : 0, ordering: .relaxed) }

        fileprivate var count: Int { ticks.load(ordering: .relaxed) }
    }

    private struct Entry {
        enum Stage {
            /// It has not sent a whole request.
            case unfinished
            case served
            /// It gave way and is not closed yet: its file is still open.
            case leaving
        }

        var stage = Stage.unfinished
        let peer: Peer
        let idleness: Idleness
        let abort: @Sendable () -> Void
    }

    private struct State {
        var next: UInt64 = 0
        var entries: [UInt64: Entry] = [:]
        /// The connections that have not sent a whole request, by age. Holes are left behind and taken away at the
        /// front.
        var unfinished: [UInt64] = []
        var firstUnfinished = 0
        var unfinishedCount = 0
        var leavingCount = 0
        /// Of each address, those that do not leave.
        var perNetwork: [IPAddress: Int] = [:]
        var lastWarning: SteadyTime?
        /// The connections of each event loop.
        var loops: [ObjectIdentifier: NIOLoopBound<LoopConnections>] = [:]

        /// Changes what a connection is to the counts; nil takes it out.
        mutating func move(_ number: UInt64, to stage: Entry.Stage?) {
            guard let entry = entries[number], entry.stage != stage else { return }
            if entry.stage == .unfinished { unfinishedCount -= 1 }
            if entry.stage == .leaving { leavingCount -= 1 } else if stage != .served { remove(entry.peer.network) }
            if stage == .leaving { leavingCount += 1 }
            if let stage { entries[number]?.stage = stage } else { entries[number] = nil }
        }

        private mutating func remove(_ network: IPAddress?) {
            guard let network else { return }
            let left = perNetwork[network, default: 1] - 1
            perNetwork[network] = left > 0 ? left : nil
        }
    }

    private let state = Lock(State())
    let bounds: Bounds
    private let name: String
    private let clocks: Clocks
    private let logger: Logger

    /// - Parameter name: the listener, for the log.
    init(name: String, bounds: Bounds, clocks: Clocks, logger: Logger) {
        self.name = name
        self.bounds = bounds
        self.clocks = clocks
        self.logger = logger
    }

    /// How many connections are open.
    var count: Int { state.withLock { $0.entries.count } }

    /// Takes a new connection in, in the place of an older one when there are too many.
    ///
    /// - Parameter abort: ends the connection; called from any thread.
    /// - Returns: nil when there is no room: the connection must be closed.
    func admit(_ peer: Peer, idleness: Idleness = Idleness(), abort: @escaping @Sendable () -> Void) -> ID? {
        let (id, victim, warns) = state.withLock { state -> (ID?, Entry?, Bool) in
            var victim: Entry?
            let isFull = state.entries.count - state.leavingCount >= bounds.all
            let crowded =
                peer.isExempt
                ? nil
                : peer.network.flatMap { network in
                    state.perNetwork[network, default: 0] >= bounds.perAddress ? network : nil
                }
            if isFull || crowded != nil {
                // Closing takes a moment: more than a few must not be on their way out at a time.
                guard state.leavingCount < Self.mostLeaving,
                    let found = oldestUnfinished(of: crowded, &state) ?? longestIdle(of: crowded, state)
                else { return (nil, nil, warn(&state)) }
                victim = state.entries[found]
                state.move(found, to: .leaving)
            }
            state.next += 1
            state.entries[state.next] = Entry(peer: peer, idleness: idleness, abort: abort)
            if let network = peer.network { state.perNetwork[network, default: 0] += 1 }
            state.unfinished.append(state.next)
            state.unfinishedCount += 1
            if state.unfinished.count > 2 * state.unfinishedCount + 1_024 {
                let entries = state.entries
                state.unfinished.removeAll { entries[$0]?.stage != .unfinished }
                state.firstUnfinished = 0
            }
            return (ID(number: state.next), victim, victim != nil && warn(&state))
        }
        victim?.abort()
        if warns {
            logger.warning(
                "Connections are at their bound: silent and idle ones are closed for new ones, or new ones are refused. Raise ulimit -n; if they come through a proxy of yours, add it to trusted-proxies.",
                metadata: [
                    "listener": "\(name)", "bound": "\(bounds.all)", "perAddress": "\(bounds.perAddress)",
                    "refused": "\(id == nil)",
                ])
        }
        return id
    }

    /// The connection has sent a whole request: it gives way only when it is idle.
    func finished(_ id: ID) {
        state.withLock { if $0.entries[id.number]?.stage == .unfinished { $0.move(id.number, to: .served) } }
    }

    /// The connection is closed.
    func remove(_ id: ID) { state.withLock { $0.move(id.number, to: nil) } }

    /// The connections on the calling event loop.
    func connections(on loop: any EventLoop, tick: Duration) -> LoopConnections {
        let bound = state.withLock { state in
            let key = ObjectIdentifier(loop)
            if let bound = state.loops[key] { return bound }
            let bound = NIOLoopBound(LoopConnections(loop, tick: tick), eventLoop: loop)
            state.loops[key] = bound
            return bound
        }
        return bound.value
    }

    /// Ends every connection.
    func abortAll() {
        let all = state.withLock { Array($0.entries.values) }
        for entry in all { entry.abort() }
    }

    private func oldestUnfinished(of network: IPAddress?, _ state: inout State) -> UInt64? {
        while state.firstUnfinished < state.unfinished.count,
            state.entries[state.unfinished[state.firstUnfinished]]?.stage != .unfinished
        {
            state.firstUnfinished += 1
        }
        return state.unfinished[state.firstUnfinished...].prefix(Self.mostLookedAt).first { number in
            guard let entry = state.entries[number], entry.stage == .unfinished else { return false }
            return network == nil || entry.peer.network == network
        }
    }

    /// Among some of those that have sent a whole request: the one that has been without another for the longest time.
    private func longestIdle(of network: IPAddress?, _ state: State) -> UInt64? {
        var longest: (number: UInt64, ticks: Int)?
        for (number, entry) in state.entries.lazy.prefix(Self.mostLookedAt)
        where entry.stage == .served && (network == nil || entry.peer.network == network) {
            let ticks = entry.idleness.count
            if ticks > longest?.ticks ?? 0 { longest = (number, ticks) }
        }
        return longest?.number
    }

    /// How many connections are looked at to find one that gives way.
    private static let mostLookedAt = 1_024

    /// How many that gave way may still be open.
    private static let mostLeaving = 32

    /// Whether a line is due: at most one a minute.
    private func warn(_ state: inout State) -> Bool {
        let now = clocks.steady()
        if let last = state.lastWarning, last.duration(to: now) < .seconds(60) { return false }
        state.lastWarning = now
        return true
    }
}
