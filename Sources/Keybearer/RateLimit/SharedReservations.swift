import Synchronization

/// Holds this process's shared reservations: lets accounts without a reservation use one without waiting for the disk,
/// and records afterwards what they used.
///
/// It is between ``ReservationBatcher`` and the store, because every reservation of an account must report what the
/// account used of a shared reservation and has not recorded. ``SharedReservation`` says why no window can exceed its
/// limit through it.
final class SharedReservations: Sendable {
    private struct Held {
        let sharedReservation: SharedReservation
        let openedAt: SteadyTime
        let openedOn: Timestamp

        func age(at now: SteadyTime) -> Duration { openedAt.duration(to: now) }

        /// Whether the wall clock, by which its minute frees, has gone as the steady one did, by which it is used.
        func isTrue(at now: SteadyTime, on wall: Timestamp) -> Bool {
            let difference = openedOn.duration(to: wall) - age(at: now)
            return difference > .zero - SharedReservations.clockTolerance
                && difference < SharedReservations.clockTolerance
        }
    }

    /// What an account used and has not recorded.
    private struct Used {
        let sharedReservation: SharedReservation
        /// Who used it. One whose hour is over has nothing to record: it would count in the fresh one.
        let accountState: AccountState
        /// Whether it is being taken or recorded just now.
        var isUnderWay = true
    }

    private struct State {
        var held: Held?
        /// Nobody uses these any more; they are open until all that was used of them is recorded.
        var retired: [SharedReservation] = []
        var used: [UserID: Used] = [:]
        /// Accounts in ``used``, about in the order in which they came.
        var due: [(userID: UserID, usedAt: SteadyTime)] = []
        /// How many reservations are requested from the store just now, by account: what they are computed from must
        /// not change meanwhile.
        var reserving: [UserID: Int] = [:]
        var opensNextAt = SteadyTime.distantPast
        var recordsNextAt = SteadyTime.distantPast
        var isStopped = false

        mutating func retire() {
            if let old = held?.sharedReservation { retired.append(old) }
            held = nil
        }

        /// Whether all that was used of it is recorded: before, it must not be closed.
        func isRecorded(_ sharedReservation: SharedReservation) -> Bool {
            !used.values.contains { $0.sharedReservation == sharedReservation }
        }
    }

    /// How long a shared reservation may be used.
    private static let life: Duration = LocalQuota.reservationLife
    /// How long an account may use what it took.
    private static let use: Duration = .seconds(30)
    /// When the next one is opened: there is always one with a use left in it.
    private static let renewal: Duration = life - use
    /// How soon it is tried again after the store failed.
    private static let retry: Duration = .seconds(1)
    /// How long what was used waits to be recorded with others.
    private static let recordingDelay: Duration = .seconds(1)
    private static let clockTolerance: Duration = .seconds(1)

    private let store: any RateLimitStore
    private let clocks: Clocks
    private let holder: NodeID
    private let isOnlyNode: @Sendable () async throws -> Bool
    private let state = Lock(State())

    /// - Parameter isOnlyNode: whether no other process serves from the store.
    init(
        store: any RateLimitStore, clocks: Clocks, holder: NodeID,
        isOnlyNode: @escaping @Sendable () async throws -> Bool
    ) {
        self.store = store
        self.clocks = clocks
        self.holder = holder
        self.isOnlyNode = isOnlyNode
    }

    /// Lets an account without a reservation use the shared reservation. Blocks for as long as one read takes.
    ///
    /// - Returns: until when it may be used; nil when the store must be asked for a reservation.
    func use(by accountState: AccountState, limit: Int) -> SteadyTime? {
        let (requestedAt, wall) = (clocks.steady(), clocks.wall())
        guard accountState.withQuota({ $0.isIdle(at: requestedAt) }),
            let sharedReservation = begin(accountState, requestedAt, wall)
        else {
            return nil
        }
        let reservation = try? store.use(
            of: sharedReservation, by: accountState.userID, limit: limit, holder: holder, now: wall)
        guard let reservation, reservation.granted > 0 else {
            state.withLock { $0.used[accountState.userID] = nil }
            return nil
        }
        let isTaken = accountState.withQuota { quota in
            // A reservation that came meanwhile is not replaced: then nothing is used.
            guard quota.isIdle(at: requestedAt) else { return false }
            quota.accept(
                reservation, wanted: reservation.granted, limit: limit, requestedAt: requestedAt, life: Self.use,
                now: clocks.steady(),
                patience: .zero)
            return true
        }
        state.withLock { state in
            if isTaken {
                state.used[accountState.userID]?.isUnderWay = false
                state.due.append((accountState.userID, requestedAt))
            } else {
                state.used[accountState.userID] = nil
            }
        }
        return isTaken ? requestedAt.advanced(by: Self.use) : nil
    }

    private func begin(
        _ accountState: AccountState, _ now: SteadyTime, _ wall: Timestamp
    ) -> SharedReservation? {
        let userID = accountState.userID
        return state.withLock { state in
            guard let held = state.held, held.age(at: now) + Self.use <= Self.life, held.isTrue(at: now, on: wall),
                state.used[userID] == nil, state.reserving[userID] == nil
            else { return nil }
            state.used[userID] = Used(sharedReservation: held.sharedReservation, accountState: accountState)
            return held.sharedReservation
        }
    }

    /// Sends requests to the store, and with them what the accounts used of a shared reservation and have not recorded.
    func reserve(_ requests: [QuotaRequest]) async throws -> [Reservation] {
        if requests.isEmpty { return [] }
        let completed = state.withLock { state in requests.map { complete($0, in: &state) } }
        do {
            let reservations = try await store.reserve(completed, now: clocks.wall())
            end(completed, areRecorded: true)
            return reservations
        } catch {
            // They may be recorded all the same. Recorded twice they count twice, which exceeds nothing.
            end(completed, areRecorded: false)
            throw error
        }
    }

    private func complete(_ request: QuotaRequest, in state: inout State) -> QuotaRequest {
        if request.count > 0 { state.reserving[request.userID, default: 0] += 1 }
        // While another step takes or records it, nobody can tell whether the window has it: then the shared
        // reservation counts.
        if state.used[request.userID]?.isUnderWay == true { return request }
        if state.used[request.userID]?.accountState.isWindowOver == true { state.used[request.userID] = nil }
        let unrecorded = state.used[request.userID]?.sharedReservation.bucket
        state.used[request.userID]?.isUnderWay = true
        return .from(holder: holder, unrecorded: unrecorded, request)
    }

    private func end(_ requests: [QuotaRequest], areRecorded: Bool) {
        state.withLock { state in
            for request in requests {
                if request.count > 0, let count = state.reserving[request.userID] {
                    state.reserving[request.userID] = count > 1 ? count - 1 : nil
                }
                guard request.unrecorded != nil else { continue }
                if areRecorded {
                    state.used[request.userID] = nil
                } else {
                    state.used[request.userID]?.isUnderWay = false
                }
            }
        }
    }

    /// Opens the next shared reservation when it is time, records what was used a second ago, and closes what is
    /// recorded.
    func maintain() async {
        let now = clocks.steady()
        if now >= state.withLock({ $0.recordsNextAt }) {
            await record(usedBefore: now.advanced(by: .zero - Self.recordingDelay), isAwaited: false)
        }
        await close()
        await open()
    }

    /// Records all and closes all; none is opened afterwards. What cannot be recorded stays open.
    func stop() async {
        state.withLock { state in
            state.isStopped = true
            state.retire()
        }
        await record(usedBefore: .distantFuture, isAwaited: true)
        await close()
    }

    /// - Parameter isAwaited: whether somebody waits for all of it.
    private func record(usedBefore end: SteadyTime, isAwaited: Bool) async {
        let due = state.withLock { state in
            let due = state.due.prefix { $0.usedAt <= end }
            state.due.removeFirst(due.count)
            // The others were recorded with a reservation.
            return due.filter { state.used[$0.userID] != nil }
        }
        do {
            for batch in BackgroundWrites.batches(due, isAwaited: isAwaited) {
                _ = try await reserve(batch.map { .look($0.userID) })
            }
        } catch {
            let later = clocks.steady().advanced(by: Self.retry)
            state.withLock { $0.recordsNextAt = later }
        }
        // What failed, or was under way in another step that may fail yet.
        state.withLock { state in state.due += due.filter { state.used[$0.userID] != nil } }
    }

    private func close() async {
        let kept = state.withLock { state -> [SharedReservation]? in
            let kept = state.retired.filter { !state.isRecorded($0) }
            if kept.count == state.retired.count { return nil }
            return kept
        }
        guard let kept else { return }
        let open = kept + state.withLock { $0.held.map { [$0.sharedReservation] } ?? [] }
        guard (try? await store.closeSharedReservations(of: holder, keeping: open.map(\.id))) != nil else { return }
        state.withLock { $0.retired = kept }
    }

    private func open() async {
        guard store.opensSharedReservations else { return }
        let (now, wall) = (clocks.steady(), clocks.wall())
        let isDue = state.withLock { state in
            if let held = state.held, !held.isTrue(at: now, on: wall) {
                state.retire()
                state.opensNextAt = now
            }
            return !state.isStopped && now >= state.opensNextAt
        }
        guard isDue else { return }
        do {
            // Beside another process none is held: the last requests of a window must be usable at either.
            let isOnlyNode = try await isOnlyNode()
            let next =
                isOnlyNode
                ? try await store.openSharedReservation(
                    atMost: LocalQuota.smallestReservation, holder: holder, life: Self.life, now: wall) : nil
            state.withLock { state in
                state.retire()
                state.held = next.map { Held(sharedReservation: $0, openedAt: now, openedOn: wall) }
                state.opensNextAt = now.advanced(by: isOnlyNode ? Self.renewal : Self.retry)
                if state.isStopped { state.retire() }
            }
        } catch {
            state.withLock { $0.opensNextAt = now.advanced(by: Self.retry) }
        }
    }
}
