import Foundation
import Keybearer
import KeybearerSQLite
import Logging

/// A server's memory over a database, without a listener.
struct BenchmarkNode: Sendable {
    let services: Services
    let node: Node
    let clocks: Clocks

    static let address = IPAddress(v4: 0x7F00_0001)

    /// - Parameter slowness: how much slower than the machine's the steady clock runs: 60 makes an hour of a minute's
    ///   reservations, which a run with a million accounts takes to fetch.
    init(_ file: AccountFile, store: OpenedStore? = nil, slowness: Int64 = 1) throws {
        let ring = try file.ring()
        let store = try store ?? SQLiteStore.open(path: file.database, role: .server)
        var settings = Services.Settings()
        settings.passwordCost = 10
        let system = Clocks.system
        let clocks =
            slowness == 1
            ? system
            : Clocks(
                steady: { SteadyTime(nanoseconds: system.steady().nanoseconds / slowness) }, wall: system.wall)
        services = Services(
            store: store, ring: ring, loadRing: { ring }, settings: settings,
            role: .server,
            clocks: clocks, logger: Logger(label: "benchmark") { _ in SwiftLogNoOpLogHandler() })
        guard let node = services.node else { throw VerificationBenchmark.Misuse() }
        self.node = node
        self.clocks = clocks
    }

    /// Keeps memory true while the body runs, as a server does.
    func run(_ body: () async throws -> Void) async throws {
        let running = Task { await node.run() }
        defer { running.cancel() }
        try await body()
    }

    /// How many wait for the store at the same time: what they reserve goes into one transaction.
    static let askedAtOnce = 512

    /// Asks for each token until so many uses of it are reserved.
    func reserve(_ uses: Int, for tokens: ArraySlice<PresentedToken>) async {
        await withTaskGroup(of: Void.self) { group in
            for (number, token) in tokens.enumerated() {
                if number >= Self.askedAtOnce { await group.next() }
                group.addTask { await reserve(uses, for: token) }
            }
        }
    }

    /// The store reserves twice of what was used up before; where more is reserved ahead, it is not used up.
    private func reserve(_ uses: Int, for token: PresentedToken) async {
        var used = 0
        repeat {
            used = 1
            while used <= uses, !node.verifier.needsStore(token, clocks: clocks) { used += 1 }
            _ = await node.verifier.verdictFromStore(for: token, scope: .anyWorkspace, from: Self.address)
        } while used * 2 <= uses
    }
}

/// A reservation ended within a round: it is to be measured again.
struct ReservationEnded: Error {}

extension Verifier {
    /// Whether memory could not tell about a request with this token.
    func needsStore(_ token: PresentedToken, clocks: Clocks) -> Bool {
        let verdict = cachedVerdict(
            for: token, scope: .anyWorkspace, from: BenchmarkNode.address, now: clocks.steady(), wall: clocks.wall())
        if case .needsStore = verdict { return true }
        return false
    }

    /// What a handler does for each request, once for each token: read the clocks, decide.
    @inline(never)
    func verifyAll(_ tokens: ArraySlice<PresentedToken>, clocks: Clocks) throws(ReservationEnded) {
        for token in tokens {
            let verdict = cachedVerdict(
                for: token, scope: .anyWorkspace, from: BenchmarkNode.address, now: clocks.steady(), wall: clocks.wall()
            )
            guard case .admitted = verdict else { throw ReservationEnded() }
        }
    }
}
