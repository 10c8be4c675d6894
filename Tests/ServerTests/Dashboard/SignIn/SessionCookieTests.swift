import HTTPTypes
import Keybearer
import Testing

@testable import KeybearerServer

/// The ``SessionCookie`` of the whole host, and of a path.
@Suite struct SessionCookieTests {
    @Test("On the whole host it is __Host-, below a path __Secure-, and never Keybearer's for another product")
    func names() throws {
        let acme = try #require(ProductName("Acme"))
        #expect(SessionCookie().name == "__Host-keybearer" && SessionCookie.name == SessionCookie().name)
        #expect(SessionCookie(place: .developers).name == "__Secure-keybearer")
        #expect(SessionCookie(product: acme).name == "__Host-key-dashboard")
        #expect(SessionCookie(place: .developers, product: acme).name == "__Secure-key-dashboard")
        // A path of the product's own says nothing about the host's root.
        #expect(SessionCookie(place: Place(publicURL: PublicURL("https://app.test"))).name == "__Host-keybearer")
    }

    @Test("Set and removed with the same attributes, without a domain")
    func attributes() {
        #expect(SessionCookie().remove() == "__Host-keybearer=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0")
        #expect(
            SessionCookie(place: .developers).remove()
                == "__Secure-keybearer=; Path=/developers; Secure; HttpOnly; SameSite=Lax; Max-Age=0")
    }

    @Test("Only its own name is read")
    func read() async throws {
        let fixture = try ServerFixture { edge, _ in edge.publicURL = PublicURL("https://app.test/developers") }
        let (account, _) = try await fixture.account("ada@example.com")
        let session = try await fixture.services.sessions.start(for: account, from: .localSocket, userAgent: "test")
        for (name, status) in [("__Secure-keybearer", 200), ("__Host-keybearer", 303), ("keybearer", 303)] {
            let headers: HTTPFields = [.cookie: "a=b; \(name)=\(session.token.characters)"]
            #expect(try await fixture.respond(.get, "/account", headers).status == status, "\(name)")
        }
        let set = SessionCookie(place: .developers).set(session.token, for: .seconds(60), in: .window)
        #expect(set.hasSuffix("; Path=/developers; Secure; HttpOnly; SameSite=Lax; Max-Age=60"))
        let framed = SessionCookie(place: .developers).set(session.token, for: .seconds(60), in: .frame)
        #expect(framed.hasPrefix("__Secure-keybearer-frame="))
        #expect(framed.hasSuffix("; Path=/developers; Secure; HttpOnly; SameSite=None; Partitioned; Max-Age=60"))
    }
}
