import Logging
import Synchronization

/// Sends what is in the queue. Every node that can open the secrets does; the claims see to it that one delivery is one
/// node's at a time.
///
/// One slow endpoint delays no other: see ``EndpointLanes``. A message arrives at least once, and its outcome is written
/// under the claim that made the attempt alone.
final class WebhookDispatcher: Sendable {
    /// How often the queue is looked at while nothing is in it.
    static let interval: Duration = .milliseconds(250)
    /// How often outcomes are written, all that there are in one transaction.
    private static let outcomeInterval: Duration = .milliseconds(10)
    /// How long a stop waits for attempts that are under way.
    private static let farewell: Duration = .seconds(3)

    private let context: ServiceContext
    private let transport: (any WebhookTransport)?
    private let logger: Logger
    private let lanes = EndpointLanes()
    /// What was tried and is not written yet.
    private let outcomes = Lock<[AttemptRecord]>([])
    private let isStopping = Lock(false)
    private let (wakeUps, waker) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))

    /// - Parameter transport: nil sends nothing.
    init(context: ServiceContext, transport: (any WebhookTransport)?, logger: Logger) {
        self.context = context
        self.transport = transport
        self.logger = logger
    }

    /// Something was queued, or there is room for more.
    func wake() { waker.yield() }

    /// Delivers until the task is cancelled.
    func run() async {
        guard let transport else {
            try? await Task.sleep(for: .seconds(3_600))
            return
        }
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                while !Task.isCancelled {
                    await self.releaseStale()
                    self.wake()
                    try? await Task.sleep(for: Self.interval)
                }
            }
            group.addTask {
                while !Task.isCancelled {
                    await self.flush()
                    try? await Task.sleep(for: Self.outcomeInterval)
                }
            }
            for await _ in self.wakeUps {
                while !Task.isCancelled, await self.step(transport) > 0 {}
            }
            group.cancelAll()
        }
    }

    /// Ends what is under way. What does not end soon is another node's when its claim has run out.
    func stop() async {
        isStopping.withLock { $0 = true }
        let left = lanes.empty().map(\.delivery)
        if !left.isEmpty { try? await context.store.releaseDeliveries(left) }
        await finish(within: Self.farewell)
    }

    /// Waits for what is under way, and writes what came of it.
    func finish(within span: Duration) async {
        let end = ContinuousClock.now.advanced(by: span)
        while lanes.active > 0, .now < end { try? await Task.sleep(for: .milliseconds(10)) }
        await flush()
    }

    /// Looks once at the queue, and begins what there is room for.
    ///
    /// - Returns: how much was done.
    func step(_ transport: any WebhookTransport) async -> Int {
        do {
            var done = try await context.store.spreadMessages(
                limit: DeliveryRules.mostSpread, now: context.clocks.wall())
            let due = try await context.store.endpointsDue(now: context.clocks.wall())
            for endpoint in due where endpoint.standing != .open {
                done += try await context.store.endWaiting(
                    for: endpoint.endpoint.id, as: endpoint.standing == .locked ? .locked : .disabled,
                    limit: DeliveryRules.mostEnded, now: context.clocks.wall())
            }
            return done + (try await claim(due.filter { $0.standing == .open }, transport))
        } catch {
            // The store is out of reach: what is queued waits there.
            return 0
        }
    }

    /// Gives back what is claimed for an endpoint that has another secret or URL by now, is disabled, locked or no more. What
    /// becomes of it, the store says.
    func releaseStale() async {
        let waiting = lanes.waiting
        guard !waiting.isEmpty, let open = try? await context.store.openVersions(of: waiting) else { return }
        let asked = Set(waiting)
        let stale = lanes.take {
            // What was claimed while the store was asked is as new as its answer.
            !asked.contains($0.endpoint.id) || open[$0.endpoint.id] == $0.endpoint.version
        }.map(\.delivery)
        if !stale.isEmpty { try? await context.store.releaseDeliveries(stale) }
    }

    private func claim(_ due: [DueEndpoint], _ transport: any WebhookTransport) async throws -> Int {
        let now = context.clocks.wall()
        var open: [WebhookEndpointID: (endpoint: WebhookEndpoint, secrets: WebhookSecrets, most: Int)] = [:]
        for one in due {
            guard let secrets = secrets(of: one) else { continue }
            let most = one.endpoint.health.concurrency(at: now, most: DeliveryRules.mostPerEndpoint)
            if most > 0 { open[one.endpoint.id] = (one.endpoint, secrets, most) }
        }
        // In another order each time: where there is no room for all, none is always the last.
        let wanted = lanes.room(for: open.map { ($0.key, $0.value.most) }.shuffled())
        guard !wanted.isEmpty else { return 0 }
        // Before the store was asked: so it never ends later than the store says.
        let end = ContinuousClock.now.advanced(by: DeliveryRules.claim)
        let claimed = try await context.store.claimDeliveries(wanted, claim: context.random.bytes(16), now: now)
        for (id, deliveries) in Dictionary(grouping: claimed, by: \.endpointID) {
            guard let (endpoint, secrets, most) = open[id] else { continue }
            let items = deliveries.map {
                EndpointLanes.Item(delivery: $0, endpoint: endpoint, secrets: secrets, end: end)
            }
            for _ in 0..<lanes.add(items, to: id, most: most) {
                // No child of this task: a stop lets what is under way end.
                Task.detached { await self.work(on: id, transport) }
            }
        }
        return claimed.count
    }

    /// Secrets that cannot be opened here are another node's to use.
    private func secrets(of due: DueEndpoint) -> WebhookSecrets? {
        let binding = WebhookSecrets.binding(due.endpoint.id)
        return (try? context.vault.current.open(due.secrets, boundTo: binding)).flatMap {
            WebhookSecrets(plaintext: $0)
        }
    }

    /// Tries one delivery of an endpoint after another.
    private func work(on id: WebhookEndpointID, _ transport: any WebhookTransport) async {
        while let item = lanes.next(of: id) {
            // What cannot end within the claim is left to whoever takes it next.
            let isInTime = ContinuousClock.now.advanced(by: WebhookRules.patience + .seconds(2)) < item.end
            guard isInTime, !isStopping.withLock({ $0 }) else {
                try? await context.store.releaseDeliveries([item.delivery])
                continue
            }
            let record = await attempt(item, transport)
            outcomes.withLock { $0.append(record) }
            // What was not tried says nothing of the endpoint.
            if lanes.ended(id, after: record.reply.isTheirs ? record.duration : nil) { wake() }
        }
    }

    private func attempt(_ item: EndpointLanes.Item, _ transport: any WebhookTransport) async -> AttemptRecord {
        let (delivery, endpoint) = (item.delivery, item.endpoint)
        let (at, begun) = (context.clocks.wall(), ContinuousClock.now)
        let secrets = item.secrets.signing(until: endpoint.previousSecretEndsAt, at: at)
        let headers =
            WebhookSignature.headers(id: delivery.messageID, at: at, body: delivery.body, secrets: secrets)
            + [("webhook-sequence", String(delivery.sequence))]
        let reply = await transport.send(WebhookRequest(url: endpoint.url, headers: headers, body: delivery.body))
        let duration = ContinuousClock.now - begun
        context.metrics.record(reply, after: duration)
        return AttemptRecord(
            delivery: delivery, at: at, duration: duration,
            headers: Dictionary(headers.map { ($0.name, $0.value) }) { $1 }, reply: reply,
            endpointVersion: endpoint.version, wasHealthy: endpoint.health == EndpointHealth(),
            retryAfter: delay(delivery, reply), isMailed: context.settings.isMailOn)
    }

    private func delay(_ delivery: ClaimedDelivery, _ reply: WebhookReply) -> Duration? {
        if reply.isDelivered { return nil }
        let bytes = context.random.bytes(2)
        let jitter = Double(Int(bytes[0]) << 8 | Int(bytes[1])) / 65_535
        let number = delivery.attempts + 1 - delivery.attemptsBefore
        // What failed on our side is tried again soon, and never for the last time.
        guard reply.isTheirs else { return .seconds(5 + 5 * jitter) }
        let asked = reply.retryAfter.flatMap { RetrySchedule.retryAfter($0, at: context.clocks.wall()) }
        return RetrySchedule.delay(afterAttempt: number, retryAfter: asked, jitter: jitter)
    }

    /// What the store does not take is sent again when the claims have run out.
    private func flush() async {
        let records = outcomes.withLock { records in
            let taken = records
            records = []
            return taken
        }
        guard !records.isEmpty else { return }
        do {
            try await context.store.record(records, now: context.clocks.wall())
            lanes.written(records.map(\.delivery.endpointID))
            wake()
        } catch {
            // Tried again while the claims hold.
            let oldest = context.clocks.wall().advanced(by: .zero - DeliveryRules.claim)
            let kept = records.filter { $0.end > oldest }
            lanes.written(records.filter { $0.end <= oldest }.map(\.delivery.endpointID))
            outcomes.withLock { $0.insert(contentsOf: kept, at: 0) }
            logger.warning(
                "The outcomes of webhook attempts could not be written.",
                metadata: ["attempts": "\(records.count)", "lost": "\(records.count - kept.count)"])
            try? await Task.sleep(for: Self.interval)
        }
    }
}
