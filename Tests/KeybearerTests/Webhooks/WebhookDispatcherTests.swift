import KeybearerSQL
import KeybearerSQLite
import Logging
import Synchronization
import TestSupport
import Testing

@testable import Keybearer

/// A message's way from the queue to its endpoint: ``WebhookDispatcher``, ``WebhookService``, ``EventService``, with
/// ``WebhookEndpoint``, ``EventType`` and the ``WebhookStore`` behind them.
@Suite struct WebhookDispatcherTests {
    /// Answers as a test says, and keeps what it was asked to send.
    fileprivate final class Receiver: WebhookTransport {
        let requests = Lock<[WebhookRequest]>([])
        let reply = Lock(WebhookReply(status: 204, body: [], retryAfter: nil, address: nil))

        let isHeld = Lock(false)

        func send(_ request: WebhookRequest) async -> WebhookReply {
            requests.withLock { $0.append(request) }
            while isHeld.withLock({ $0 }) { await Task.yield() }
            return reply.withLock { $0 }
        }

        func problem(of url: WebhookURL) async -> String? {
            url.host == "private.example" ? "Its host has an address that is not public." : nil
        }

        func set(status: Int, retryAfter: String? = nil) {
            reply.withLock { $0 = WebhookReply(status: status, body: [], retryAfter: retryAfter, address: nil) }
        }
    }

    /// A node with a clock that stands still.
    fileprivate struct World {
        let directory: TemporaryDirectory
        let clock = TestClock()
        let receiver = Receiver()
        let services: Services
        let store: any Store
        let dispatcher: WebhookDispatcher
        let context: ServiceContext

        init() throws {
            directory = try TemporaryDirectory()
            store = try SQLiteStore.openStore(path: directory.file("keybearer.db"), role: .server)
            let ring = try MasterKeyRing.generate(from: .system)
            var settings = Services.Settings()
            settings.passwordCost = 10
            let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
            services = Services(
                store: store, ring: ring, loadRing: { ring }, settings: settings, role: .command, webhooks: receiver,
                clocks: clock.clocks, logger: logger)
            context = ServiceContext(
                store: store, vault: CurrentVault(KeyVault(ring: ring)), settings: settings, clocks: clock.clocks,
                random: .system)
            dispatcher = WebhookDispatcher(context: context, transport: receiver, logger: logger)
        }

        func add(_ events: [String] = ["*"]) async throws -> (endpoint: WebhookEndpoint, secret: WebhookSecret) {
            try await services.webhooks.create(
                WebhookService.Input(name: "Hooks", url: "https://hooks.example.com/in", events: events), in: nil,
                by: .commandLine)
        }

        /// Works until nothing is due.
        func deliver() async throws {
            // What is under way may leave no room for the rest: it is looked at again when that has ended.
            repeat { await dispatcher.finish(within: .seconds(60)) } while await dispatcher.step(receiver) > 0
            await dispatcher.finish(within: .seconds(60))
        }

        func deliveries(_ endpoint: WebhookEndpoint) async throws -> [WebhookDelivery] {
            try await services.webhooks.deliveries(DeliveryFilter(endpointID: endpoint.id, limit: 10), in: nil)
        }
    }

    private static func header(_ name: String, _ request: WebhookRequest) -> String? {
        request.headers.first { $0.name == name }?.value
    }

    @Test func aMessageArrivesSignedWithItsPlace() async throws {
        let world = try World()
        let (endpoint, secret) = try await world.add()
        let id = try await world.services.webhooks.test(endpoint.id, in: nil, by: .commandLine)
        try await world.deliver()
        let request = try #require(world.receiver.requests.withLock { $0 }.first)
        #expect(Self.header("webhook-id", request) == id.rawValue && Self.header("webhook-sequence", request) == "1")
        let problem = WebhookSignature.problem(
            body: request.body, secrets: [secret], now: world.clock.clocks.wall()
        ) { Self.header($0, request) }
        #expect(problem == nil)
        let delivery = try #require(try await world.deliveries(endpoint).first)
        #expect(delivery.state == .delivered && delivery.attempts == 1)
        let kept = try await world.services.webhooks.delivery(id, at: endpoint.id, in: nil)
        #expect(kept.body == request.body && kept.attempts.first?.headers["webhook-id"] == id.rawValue)
        #expect(kept.attempts.first?.headers["webhook-signature"] == Self.header("webhook-signature", request))
    }

    @Test func bothSecretsSignUntilTheOldOneEnds() async throws {
        let world = try World()
        let (endpoint, old) = try await world.add()
        let (_, new) = try await world.services.webhooks.rotate(
            endpoint.id, in: nil, overlap: .seconds(3_600), by: .commandLine)
        #expect(old != new)
        func sign() async throws -> (old: Bool, new: Bool) {
            _ = try await world.services.webhooks.test(endpoint.id, in: nil, by: .commandLine)
            let fresh = try World.again(world)
            while await fresh.step(world.receiver) > 0 {}
            await fresh.finish(within: .seconds(60))
            let request = try #require(world.receiver.requests.withLock { $0 }.last)
            let isBy = { (secret: WebhookSecret) in
                WebhookSignature.problem(body: request.body, secrets: [secret], now: nil) { Self.header($0, request) }
                    == nil
            }
            return (isBy(old), isBy(new))
        }
        #expect(try await sign() == (true, true))
        world.clock.advance(by: .seconds(3_600))
        #expect(try await sign() == (false, true))
    }

    @Test(arguments: [false, true])
    func whatIsClaimedGoesToNobodyWhoseSecretIsReplacedOrWhoIsDisabled(isDisabled: Bool) async throws {
        let world = try World()
        let (endpoint, old) = try await world.add()
        func queue(_ count: Int) async throws {
            for _ in 0..<count { _ = try await world.services.webhooks.test(endpoint.id, in: nil, by: .commandLine) }
        }
        // It answers quickly: more is claimed than is under way.
        try await queue(8)
        try await world.deliver()
        world.receiver.isHeld.withLock { $0 = true }
        try await queue(20)
        while await world.dispatcher.step(world.receiver) > 0 {}
        while world.receiver.requests.withLock({ $0.count }) < 8 + DeliveryRules.mostPerEndpoint { await Task.yield() }
        await world.dispatcher.releaseStale()
        #expect(try await world.store.endpointsDue(now: world.clock.clocks.wall()).isEmpty, "nothing has changed")
        if isDisabled {
            _ = try await world.services.webhooks.update(
                endpoint.id, in: nil, WebhookService.Input(isEnabled: false), by: .commandLine)
        } else {
            _ = try await world.services.webhooks.rotate(endpoint.id, in: nil, overlap: .zero, by: .commandLine)
        }
        await world.dispatcher.releaseStale()
        #expect(try await world.store.endpointsDue(now: world.clock.clocks.wall()).count == 1)
        world.receiver.isHeld.withLock { $0 = false }
        try await world.deliver()
        let requests = world.receiver.requests.withLock { $0 }
        let byOld = requests.filter { request in
            WebhookSignature.problem(body: request.body, secrets: [old], now: nil) { Self.header($0, request) } == nil
        }
        let underWay = 8 + DeliveryRules.mostPerEndpoint
        #expect(requests.count == (isDisabled ? underWay : 28) && byOld.count == underWay)
    }

    @Test func aFailureWaitsForItsScheduleOrAsLongAsItIsAsked() async throws {
        let world = try World()
        let (endpoint, _) = try await world.add()
        _ = try await world.services.webhooks.test(endpoint.id, in: nil, by: .commandLine)
        world.receiver.set(status: 503, retryAfter: "120")
        try await world.deliver()
        let waiting = try #require(try await world.deliveries(endpoint).first)
        #expect(waiting.state == .waiting && waiting.attempts == 1)
        let due = try #require(waiting.dueAt)
        #expect(world.clock.clocks.wall().duration(to: due) == .seconds(120))
        world.receiver.set(status: 200)
        world.clock.advance(by: .seconds(120))
        let next = try World.again(world)
        while await next.step(world.receiver) > 0 {}
        await next.finish(within: .seconds(60))
        #expect(try await world.deliveries(endpoint).first?.state == .delivered)
        let bodies = world.receiver.requests.withLock { $0.map(\.body) }
        #expect(bodies.count == 2 && bodies[0] == bodies[1])
    }

    @Test func anEventIsPublishedOnceAndOnlyToWhoChoseIt() async throws {
        let world = try World()
        let name = EventName(rawValue: "invoice.paid")
        _ = try await world.services.events.put(name, description: "Paid.", example: nil, by: .commandLine)
        let (all, _) = try await world.add()
        let (others, _) = try await world.add(["member.added"])
        let event = EventService.Publication(
            id: "inv_1", type: name, workspaceID: WorkspaceID(rawValue: "ws_1"), userID: nil,
            object: Array("{}".utf8))
        let first = try await world.services.events.publish([event], by: .commandLine)
        let second = try await world.services.events.publish([event], by: .commandLine)
        #expect(first[0].isNew && !second[0].isNew && first[0].id == second[0].id)
        try await world.deliver()
        #expect(try await world.deliveries(all).map(\.messageID) == [first[0].id])
        #expect(try await world.deliveries(others).isEmpty)
    }

    @Test func whatCannotBeAWebhookIsRefusedWithASentence() async throws {
        let world = try World()
        let wrong = WebhookService.Input(name: "", url: "https://127.1/", events: ["Invoice"])
        do {
            _ = try await world.services.webhooks.create(wrong, in: nil, by: .commandLine)
            Issue.record("nothing was thrown")
        } catch let error as KeybearerError {
            #expect(error.code == .validationFailed && Set(error.fields.keys) == ["name", "url", "events"])
        }
        do {
            let hidden = WebhookService.Input(name: "A", url: "https://private.example/", events: ["*"])
            _ = try await world.services.webhooks.create(hidden, in: nil, by: .commandLine)
            Issue.record("nothing was thrown")
        } catch let error as KeybearerError {
            #expect(error.fields["url"] == "Its host has an address that is not public.")
        }
        do {
            _ = try await world.services.events.put(
                EventName(rawValue: "key.own"), description: "", example: nil, by: .commandLine)
            Issue.record("nothing was thrown")
        } catch let error as KeybearerError {
            #expect(Set(error.fields.keys) == ["name", "description"])
        }
    }
}

extension WebhookDispatcherTests.World {
    /// Another process on the same queue.
    fileprivate static func again(_ world: Self) throws -> WebhookDispatcher {
        WebhookDispatcher(
            context: world.context, transport: world.receiver,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }
}
