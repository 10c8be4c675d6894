import HTTPTypes
import TestSupport

@testable import Keybearer
@testable import KeybearerServer

/// A browser that opens portal links and keeps the cookie that it is given.
struct PortalBrowser {
    let fixture: ServerFixture
    /// Where the browser shows what it opens.
    let place: SessionPlace
    var cookie: String?

    init(_ fixture: ServerFixture, in place: SessionPlace = .window) {
        self.fixture = fixture
        self.place = place
    }

    typealias Reply = (status: Int, headers: HTTPFields, body: String)

    private var headers: HTTPFields {
        var headers: HTTPFields = [HeaderName.fetchSite: "same-origin"]
        if place == .frame { headers[HeaderName.fetchDestination] = "iframe" }
        let name = place == .frame ? SessionCookie.frameName : SessionCookie.name
        if let cookie { headers[.cookie] = "\(name)=\(cookie)" }
        return headers
    }

    /// Whether an answer leads to the product. A form is answered with a page that goes on by itself, since browsers do
    /// not let a form be redirected to another site.
    static func leads(_ reply: Reply, to url: String, after method: HTTPRequest.Method) -> Bool {
        method == .post
            ? reply.status == 410 && reply.headers[HeaderName.refresh] == "0; url=\(url)"
            : reply.status == 303 && reply.headers[.location] == url
    }

    func get(_ path: String, _ method: HTTPRequest.Method = .get) async throws -> Reply {
        try await fixture.respond(method, path, headers)
    }

    mutating func post(_ path: String, _ form: [String: String] = [:]) async throws -> Reply {
        var headers = headers
        headers[.contentType] = "application/x-www-form-urlencoded"
        let body = form.map { "\($0.key)=\(DashboardResponder.escape($0.value))" }.joined(separator: "&")
        let reply = try await fixture.respond(.post, path, headers, body: body)
        if let set = reply.headers[.setCookie]?.prefix(while: { $0 != ";" }) {
            cookie = String(set.drop { $0 != "=" }.dropFirst())
        }
        return reply
    }

    /// Opens a link by its button.
    mutating func open(_ code: String) async throws -> Reply { try await post("/portal", ["code": code]) }
}

extension OperatorClient {
    /// Makes a portal link.
    ///
    /// - Returns: its code.
    func portalCode(_ user: UserID, _ more: String = "") async throws -> String {
        let reply = try await send(.post, "/portal-links", #"{"user":"\#(user)"\#(more.isEmpty ? "" : ",")\#(more)}"#)
        guard let url = reply.data["url"] as? String, let mark = url.firstRange(of: "/portal?code=") else {
            throw KeybearerError(.internalError, reply.text)
        }
        return String(url[mark.upperBound...])
    }
}
