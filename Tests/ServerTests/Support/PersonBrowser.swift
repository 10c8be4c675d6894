import HTTPTypes

@testable import Keybearer
@testable import KeybearerServer

/// A browser in which somebody is signed in, or nobody.
struct PersonBrowser {
    typealias Reply = (status: Int, headers: HTTPFields, body: String)

    let fixture: ServerFixture
    private let cookie: String?

    /// Signs somebody in; nil for nobody.
    init(_ fixture: ServerFixture, _ account: Account?) async throws {
        self.fixture = fixture
        guard let account else {
            cookie = nil
            return
        }
        let session = try await fixture.services.sessions.start(
            for: account, from: IPAddress(v4: 1), userAgent: "Browser/1.0")
        cookie = session.token.characters
    }

    func get(_ path: String) async throws -> Reply {
        try await fixture.respond(.get, path, headers)
    }

    func post(_ path: String, _ form: [String: String] = [:]) async throws -> Reply {
        var headers = headers
        headers[.contentType] = "application/x-www-form-urlencoded"
        let body = form.map { "\($0.key)=\(DashboardResponder.escape($0.value))" }.joined(separator: "&")
        return try await fixture.respond(.post, path, headers, body: body)
    }

    private var headers: HTTPFields {
        var headers: HTTPFields = [HeaderName.fetchSite: "same-origin"]
        if let cookie { headers[.cookie] = "\(SessionCookie.name)=\(cookie)" }
        return headers
    }
}
