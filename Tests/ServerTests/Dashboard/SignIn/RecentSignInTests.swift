import HTTPTypes
import KeybearerSQL
import TestSupport
import Testing

@testable import Keybearer
@testable import KeybearerServer

/// ``RecentSignIn``: what needs one leads to the page that asks for it, before the transaction and from within it.
@Suite struct RecentSignInTests {
    /// A page's form, what its transaction is audited as, and where the browser comes back to.
    private struct Case {
        let path: String
        let action: AuditEvent.Action
        let next: String
    }

    /// A signed-in browser whose account has a key, and an identity at the provider.
    private struct Stage {
        let clock = TestClock()
        let fixture: ServerFixture
        let account: Account
        let cookie: String
        let identity: String

        init() async throws {
            fixture = try ServerFixture(clocks: clock.clocks, identityProvider: FixedIdentityProvider())
            (account, _) = try await fixture.account("ada@example.com")
            let digest = RandomSource.system.bytes(32)
            let identity = FixedIdentityProvider.claims("ada").identity
            _ = try await fixture.store.useSignInAttempt(digest: digest, now: clock.clocks.wall())
            try await fixture.store.putPendingIdentity(
                PendingIdentity(identity: identity, email: nil), ofAttempt: digest)
            try await fixture.store.linkPendingIdentity(
                ofAttempt: digest, to: account.user.id, by: .commandLine, audit: Samples().event(.identityLinked))
            self.identity = ConnectedIdentity(identity: identity, connectedAt: Samples.start).reference
            let started = try await fixture.services.sessions.start(
                for: account, from: Samples.address, userAgent: "Browser")
            cookie = "\(SessionCookie.name)=\(started.token.characters)"
        }

        var cases: [Case] {
            let page = "/workspaces/\(account.workspaces[0].workspace.id)/api-webhooks"
            return [
                Case(path: page + "/reveal", action: .keyRevealed, next: page),
                Case(path: page + "/regenerate", action: .keyRegenerated, next: page + "/regenerate"),
                Case(
                    path: "/account/identities/\(identity)/disconnect", action: .identityUnlinked, next: "/account"),
            ]
        }

        func post(_ path: String, asJSON: Bool = false) async throws -> (status: Int, headers: HTTPFields, body: String)
        {
            var headers: HTTPFields = [
                .cookie: cookie, HeaderName.fetchSite: "same-origin",
                .contentType: "application/x-www-form-urlencoded",
            ]
            if asJSON { headers[.accept] = "application/json" }
            return try await fixture.respond(.post, path, headers, body: "a=b")
        }

        func expectUnchanged() async throws {
            let now = try await fixture.services.accounts.account(account.user.id)
            #expect(now.key == account.key)
            #expect(try await fixture.services.connectedIdentities.list(of: now.user).count == 1)
        }
    }

    @Test("A sign-in that is too old leads to the page that asks again, and back")
    func before() async throws {
        let stage = try await Stage()
        stage.clock.advance(by: .seconds(15 * 60 + 1))
        for form in stage.cases {
            let reply = try await stage.post(form.path)
            #expect(reply.status == 303 && reply.headers[.location] == "/confirm?next=\(form.next)")
            let told = try await stage.post(form.path, asJSON: true)
            #expect(told.status == 403)
            #expect(try object(told.body)["confirmUrl"] as? String == "/confirm?next=\(form.next)")
        }
        try await stage.expectUnchanged()
    }

    @Test("One that becomes too old between the decision and the transaction gets the same answer")
    func atCommit() async throws {
        let stage = try await Stage()
        stage.clock.advance(by: .seconds(15 * 60 - 1))
        for (place, form) in stage.cases.enumerated() {
            let isJSON = place == 0
            let hold = WriteHold(form.action, of: stage.fixture.store)
            let (reply, first) = try await hold.during {
                try await stage.post(form.path, asJSON: isJSON)
            } meanwhile: {
                // The store counts the time since the decision itself.
                try await Task.sleep(for: .milliseconds(1_200))
            }
            stage.fixture.store.holdWrites(nil)
            #expect(first == .reached, "\(form.path)")
            let confirm = "/confirm?next=\(form.next)"
            if isJSON {
                #expect(reply.status == 403 && !reply.body.contains("tdc_"))
                #expect(try object(reply.body)["confirmUrl"] as? String == confirm)
            } else {
                #expect(reply.status == 303 && reply.headers[.location] == confirm)
            }
        }
        try await stage.expectUnchanged()
    }
}
