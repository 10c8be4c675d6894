import Synchronization

/// What a process holds of each endpoint: so that one that is slow takes no other's place.
///
/// An endpoint has a few attempts at a time. Where it answers quickly, more are claimed together than are under way.
final class EndpointLanes: Sendable {
    /// A delivery with what it takes to try it.
    struct Item: Sendable {
        let delivery: ClaimedDelivery
        let endpoint: WebhookEndpoint
        let secrets: WebhookSecrets
        /// When its claim ends, by this process's clock, and not later than by the store's.
        let end: ContinuousClock.Instant
    }

    private struct Lane {
        var waiting: ArraySlice<Item> = []
        /// How many workers it has.
        var active = 0
        /// How many attempts have ended whose outcome is not written yet: should this process be killed, they are made again.
        var unwritten = 0
        /// How long its last attempts took, the newest counting most. Of a new one nobody knows: one quick answer shows it.
        var pace: Duration = .milliseconds(2_500)

        /// All that would arrive twice if this process were killed now, and what waits: never more than there is room for.
        var held: Int { waiting.count + active + unwritten }
        var isSlow: Bool { pace > EndpointLanes.slow }

        /// How many deliveries it may hold.
        func capacity(most: Int) -> Int {
            guard most > 1 else { return most }
            return pace < EndpointLanes.quick ? DeliveryRules.mostClaimedPerEndpoint : DeliveryRules.mostPerEndpoint
        }
    }

    /// Attempts that take less let more be claimed together.
    private static let quick: Duration = .milliseconds(250)
    /// All endpoints together whose attempts take longer have half of the places at most: however many there are, the
    /// others have the other half.
    private static let slow: Duration = .seconds(2)
    static let mostOfSlow = DeliveryRules.mostConcurrently / 2

    private let lanes = Lock<[WebhookEndpointID: Lane]>([:])

    /// How many deliveries of each endpoint there is room for.
    ///
    /// - Parameter endpoints: in the order in which they are served, each with the most attempts at a time.
    func room(for endpoints: [(id: WebhookEndpointID, most: Int)]) -> [(endpointID: WebhookEndpointID, count: Int)] {
        lanes.withLock { lanes in
            var free = DeliveryRules.mostConcurrently - lanes.values.reduce(0) { $0 + $1.active }
            var freeForSlow = Self.mostOfSlow - lanes.values.reduce(0) { $0 + ($1.isSlow ? $1.active : 0) }
            var room: [(endpointID: WebhookEndpointID, count: Int)] = []
            for (id, most) in endpoints where free > 0 {
                let lane = lanes[id] ?? Lane()
                if lane.isSlow, freeForSlow <= 0 { continue }
                let capacity = lane.capacity(most: most)
                // Not for each place that becomes free: a claim is a transaction.
                guard lane.held <= capacity / 2 else { continue }
                let count = capacity - lane.held
                guard count > 0 else { continue }
                // What waits behind them takes nobody's place.
                let places = max(0, min(count, min(most, DeliveryRules.mostPerEndpoint) - lane.active))
                free -= places
                if lane.isSlow { freeForSlow -= places }
                room.append((id, count))
            }
            return room
        }
    }

    /// Takes what was claimed.
    ///
    /// - Parameter most: the most attempts of the endpoint at a time.
    /// - Returns: how many workers are to be begun; each calls ``next(of:)`` until that returns nil.
    func add(_ items: [Item], to id: WebhookEndpointID, most: Int) -> Int {
        lanes.withLock { lanes in
            var lane = lanes[id] ?? Lane()
            lane.waiting += items
            let workers = max(0, min(min(most, DeliveryRules.mostPerEndpoint) - lane.active, lane.waiting.count))
            lane.active += workers
            lanes[id] = lane
            return workers
        }
    }

    /// The next delivery of an endpoint; nil ends the worker that asks.
    func next(of id: WebhookEndpointID) -> Item? {
        lanes.withLock { lanes in
            if let item = lanes[id]?.waiting.popFirst() { return item }
            lanes[id]?.active -= 1
            if lanes[id]?.held == 0, lanes.count > 10_000 { lanes[id] = nil }
            return nil
        }
    }

    /// An attempt has ended.
    ///
    /// - Parameter span: how long it took; nil where that says nothing of the endpoint.
    /// - Returns: whether there is room for more of the endpoint now.
    func ended(_ id: WebhookEndpointID, after span: Duration?) -> Bool {
        lanes.withLock { lanes in
            guard var lane = lanes[id] else { return false }
            lane.unwritten += 1
            if let span { lane.pace = lane.pace * 0.7 + span * 0.3 }
            lanes[id] = lane
            return lane.held <= lane.capacity(most: DeliveryRules.mostPerEndpoint) / 2 + 1
        }
    }

    /// Outcomes were written, or given up: one for each time that an endpoint is named.
    func written(_ endpoints: [WebhookEndpointID]) {
        lanes.withLock { lanes in
            for id in endpoints { lanes[id]?.unwritten -= 1 }
        }
    }

    /// The endpoints of what no worker has begun with.
    var waiting: [WebhookEndpointID] {
        lanes.withLock { lanes in lanes.filter { !$0.value.waiting.isEmpty }.map(\.key) }
    }

    /// Takes back what no worker has begun with, and what is out of date.
    ///
    /// - Parameter isCurrent: whether an item may still go out.
    func take(unless isCurrent: (Item) -> Bool) -> [Item] {
        lanes.withLock { lanes in
            var taken: [Item] = []
            for (id, lane) in lanes where !lane.waiting.isEmpty {
                let stale = lane.waiting.filter { !isCurrent($0) }
                if stale.isEmpty { continue }
                taken += stale
                lanes[id]?.waiting = ArraySlice(lane.waiting.filter(isCurrent))
            }
            return taken
        }
    }

    /// How many workers there are.
    var active: Int { lanes.withLock { lanes in lanes.values.reduce(0) { $0 + $1.active } } }

    /// Takes back what no worker has begun with.
    func empty() -> [Item] { take { _ in false } }
}
