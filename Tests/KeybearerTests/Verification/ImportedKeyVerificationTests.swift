import KeybearerSQL
import Logging
import TestSupport
import Testing

@testable import Keybearer

/// Imported keys at a ``Verifier``: ``UncachedTokens`` by ``ImportedKeys``, without the store, on one node and on two.
@Suite struct ImportedKeyVerificationTests: OnNodeStage {
    let stage: NodeStage
    private static let short = "acme-live-0123456789ABCDEF"
    private static let long = String(repeating: "Acme.live~0123456789/ABCDEF+", count: 4) + "=="

    init() throws {
        stage = try NodeStage()
    }

    private func token(_ text: String) throws -> PresentedToken {
        try #require(Array(text.utf8).withUnsafeBufferPointer(PresentedToken.init))
    }

    /// Makes an account on the plan with the feature that has had a key before.
    @discardableResult
    private func importKey(_ text: String, _ id: String, by services: Services? = nil) async throws -> Account {
        let services = services ?? self.services
        var input = UserInput()
        (input.email, input.name, input.isEmailVerified) = ("\(id)@example.com", "Ada", true)
        input.keyToImport = KeyToImport(text)
        let made = try #require(await services.writes.put([(ExternalID(rawValue: id), input)], by: .commandLine).first)
        let account = try made.get()
        try await services.workspaces.setPlan(
            PlanID(rawValue: "pro"), of: account.workspaces[0].workspace.id, by: .commandLine)
        return account
    }

    private func cached(_ text: String, at node: Node, from address: IPAddress = Samples.address) throws -> Verdict {
        node.verifier.cachedVerdict(
            for: try token(text), scope: .anyWorkspace, from: address, now: fixture.clock.clocks.steady(),
            wall: fixture.clock.clocks.wall())
    }

    private func verdict(
        _ text: String, at node: Node, from address: IPAddress = Samples.address
    ) async throws -> Verdict {
        await node.verifier.verdict(for: try token(text), scope: .anyWorkspace, from: address)
    }

    private func isKnownBad(_ text: String) throws -> Bool {
        node.verifier.isKnownBad(try token(text), from: Samples.address, now: fixture.clock.clocks.steady())
    }

    /// Lets a node follow the changes while the body runs.
    private func following<Value>(_ node: Node, _ body: () async throws -> Value) async throws -> Value {
        let follower = Task {
            while !Task.isCancelled {
                await node.fence.step()
                await Task.yield()
            }
        }
        defer { follower.cancel() }
        return try await body()
    }

    @Test("An imported key passes from the store and then from memory, and regenerating makes a key of ours")
    func passes() async throws {
        await node.fence.step()
        for (text, id) in [(Self.short, "1"), (Self.long, "2")] {
            let account = try await importKey(text, id)
            #expect(try cached(text, at: node).isNeedsStore)
            #expect(try await verdict(text, at: node).isAdmitted)
            #expect(try cached(text, at: node).isAdmitted)
            let shown = try await services.keys.reveal(account.user.id, by: .commandLine)
            #expect(shown.characters == text && text.hasPrefix(account.key.shownPrefix))
            let (new, record) = try await services.keys.regenerate(
                account.user.id, idempotencyKey: nil, by: .commandLine)
            #expect(new.characters.hasPrefix("tdc_") && record.shownPrefix.hasPrefix("tdc_"))
            #expect(try await verdict(text, at: node).isUnauthorized)
            #expect(await fixture.verdict(new, at: node).isAdmitted)
            #expect(try isKnownBad(text))
        }
    }

    @Test("A flood of invented tokens, and of keys that have ended, leaves the store alone")
    func floods() async throws {
        await node.fence.step()
        let gone = try await importKey(Self.short, "1")
        try await importKey(Self.long, "2")
        let random = RandomSource.seeded(9)
        #expect(try await verdict(Self.short, at: node).isAdmitted)
        try await services.accounts.delete(gone.user.id, by: .commandLine)
        #expect(try await verdict(Self.short, at: node).isUnauthorized)
        let before = node.verifier.storeRequests
        for attempt in 0..<5_000 {
            let text = String(decoding: random.base62(count: 20 + attempt % 109), as: UTF8.self)
            let address = IPAddress(v4: UInt32(attempt))
            #expect(try await verdict(text, at: node, from: address).isUnauthorized)
            #expect(try await verdict(Self.short, at: node, from: address).isUnauthorized)
        }
        #expect(node.verifier.storeRequests == before)
    }

    @Test("An address that sends many tokens that are none waits; an imported key passes, cached or not")
    func throttled() async throws {
        await node.fence.step()
        try await importKey(Self.short, "1")
        try await importKey(Self.long, "2")
        #expect(try await verdict(Self.short, at: node).isAdmitted)
        for attempt in 0..<100 {
            #expect(try cached("invented-token-number-\(attempt)", at: node).isUnauthorized)
        }
        guard case .throttled(let wait) = try cached("invented-token-number-100", at: node) else {
            Issue.record("was looked at")
            return
        }
        #expect(wait == .seconds(1))
        #expect(try cached(Self.short, at: node).isAdmitted)
        // A customer behind the same address, whose key this node does not have in its cache.
        #expect(try cached(Self.long, at: node).isNeedsStore)
        #expect(try !isKnownBad(Self.long))
        let before = node.verifier.storeRequests
        for attempt in 0..<1_000 { _ = try await verdict("invented-token-number-\(attempt)", at: node) }
        #expect(node.verifier.storeRequests == before)
        #expect(try await verdict(Self.long, at: node).isAdmitted)
        let other = IPAddress(v4: 7)
        #expect(try cached("invented-token-number-100", at: node, from: other).isUnauthorized)
        let uncounted = node.verifier.cachedVerdict(
            for: try token("invented-token-number-100"), scope: .anyWorkspace, from: Samples.address,
            now: fixture.clock.clocks.steady(), wall: fixture.clock.clocks.wall(), isThrottled: false)
        #expect(uncounted.isUnauthorized)
        let (_, key) = try await fixture.entitledAccount(services)
        #expect(await fixture.verdict(key, at: node).isAdmitted, "a key of ours")
        fixture.clock.advance(by: .seconds(1))
        #expect(try cached("invented-token-number-100", at: node).isUnauthorized)
    }

    @Test("Where nothing was imported, nothing is counted")
    func nothingImported() async throws {
        await node.fence.step()
        for attempt in 0..<500 {
            #expect(try cached("invented-token-number-\(attempt)", at: node).isUnauthorized)
        }
    }

    @Test("Without a lease an unknown token is not refused as one, whatever was imported")
    func withoutLease() async throws {
        let unknown = "another-live-9876543210XYZ"
        #expect(try cached(unknown, at: node).isNeedsStore)
        await node.fence.step()
        try await importKey(Self.short, "1")
        #expect(try await verdict(unknown, at: node).isUnauthorized)
        #expect(try isKnownBad(unknown))
        await node.fence.stop()
        #expect(try await verdict(unknown, at: node).isUnavailable)
        #expect(try await verdict(Self.long, at: node).isUnavailable)
        #expect(try await verdict(Self.short, at: node).isUnavailable)
        #expect(try !isKnownBad(unknown))
        // No key looks like these.
        for text in ["no token68 at all, but long enough", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"] {
            #expect(try await verdict(text, at: node).isUnauthorized)
        }
    }

    @Test("Two nodes: an import at one is valid at the other when the response arrives, and after a restart")
    func twoNodes() async throws {
        let second = try #require(fixture.services().node)
        await node.fence.step()
        await second.fence.step()
        #expect(try cached(Self.short, at: second).isUnauthorized)
        try await following(second) {
            try await importKey(Self.short, "1")
            #expect(try cached(Self.short, at: second).isNeedsStore)
            #expect(try await verdict(Self.short, at: second).isAdmitted)
        }
        let third = try #require(fixture.services().node)
        await third.fence.step()
        #expect(try await verdict(Self.short, at: third).isAdmitted)
        // One that was silent for longer than its lease reads the set again.
        let command = fixture.services(.command)
        let runner = fixture.runClock()
        try await importKey(Self.long, "2", by: command)
        runner.cancel()
        await runner.value
        #expect(try await verdict(Self.long, at: second).isUnavailable, "not 401")
        await second.fence.step()
        #expect(try await verdict(Self.long, at: second).isAdmitted)
    }

    @Test("A node whose imported keys take longer to read than its lease is gets one all the same")
    func slowLoad() async throws {
        let clock = fixture.clock
        let keys = ImportedKeys {
            clock.advance(by: .seconds(3))
            return [DigestPrefix(7)]
        }
        let fence = RevocationFence(
            store: fixture.store, cache: KeyCache(capacity: 10, rejectedCapacity: 10, random: fixture.random),
            importedKeys: keys, clocks: clock.clocks, random: fixture.random, lease: .seconds(2),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, onEverything: {})
        await fence.step()
        #expect(fence.holdsLease(at: clock.clocks.steady()) && keys.count == 1)
        await fence.stop()
    }

    @Test("A rotation moves imported keys to other digests, and refuses none at any step")
    func rotation() async throws {
        await node.fence.step()
        let texts = [Self.short, Self.long, "third-customer's-key".replacing("'", with: "~")]
        for (place, text) in texts.enumerated() { try await importKey(text, "\(place)") }
        struct Interrupted: Error {}
        func rotate(until last: MasterKeyService.Step? = nil) async throws {
            _ = try await services.masterKeys.rotate(
                save: { fixture.ringFile.replace(with: KeyVault(ring: $0)) }, progress: { _ in },
                reached: { step in
                    for text in texts {
                        let verdict = try cached(text, at: node)
                        #expect(verdict.isNeedsStore || verdict.isAdmitted, "\(step)")
                    }
                    if step == last { throw Interrupted() }
                })
        }
        await #expect(throws: Interrupted.self) { try await rotate(until: .resealed) }
        // One that starts in between finds new digests, and keeps the old master key in its ring.
        let between = try #require(fixture.services().node)
        await between.fence.step()
        try await following(between) {
            for text in texts {
                #expect(try await verdict(text, at: node).isAdmitted)
                #expect(try await verdict(text, at: between).isAdmitted)
            }
            try await rotate()
            for text in texts {
                #expect(try await verdict(text, at: node).isAdmitted)
                #expect(try await verdict(text, at: between).isAdmitted)
            }
        }
        let survey = try await KeySurvey(fixture.store, KeyVault(ring: fixture.ringFile.current.ring))
        #expect(survey.keys == 3 && survey.unrecognised == 0 && survey.unopenable.isEmpty && survey.tags.isEmpty)
    }
}
