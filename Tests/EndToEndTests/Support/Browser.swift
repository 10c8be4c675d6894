import Foundation
import TestSupport

/// A signed-in person's browser: keeps the session's cookie and sends forms as a page of the server does.
final class Browser {
    /// What ended a form's way to its page.
    struct Unexpected: Error, CustomStringConvertible {
        let request: String
        let response: RawResponse
        var description: String { "\(request): \(response.status) \(response.text.prefix(400))" }
    }

    private static let cookieName = "__Host-keybearer"
    private let connection: RawConnection
    /// The session's token.
    private(set) var token: String?

    init(port: Int, token: String? = nil) throws {
        connection = try RawConnection(port: port)
        self.token = token
    }

    /// A page.
    func get(_ path: String) throws -> RawResponse {
        try connection.roundTrip(RawRequest.text("GET", path, headers: cookie))
    }

    /// The text of a form that is sent.
    func postText(_ path: String, _ form: [(String, String)] = [], wantsJSON: Bool = false) -> String {
        var headers = [("Sec-Fetch-Site", "same-origin"), ("Content-Type", "application/x-www-form-urlencoded")]
        if wantsJSON { headers.append(("Accept", "application/json")) }
        let body = form.map { "\(Self.escape($0.0))=\(Self.escape($0.1))" }.joined(separator: "&")
        return RawRequest.text("POST", path, headers: headers + cookie, body: body)
    }

    /// Sends a form.
    @discardableResult
    func post(_ path: String, _ form: [(String, String)] = [], wantsJSON: Bool = false) throws -> RawResponse {
        try connection.send(postText(path, form, wantsJSON: wantsJSON))
        return storeCookie(try connection.receive())
    }

    /// Signs up, and is signed in then.
    func signUp(name: String, email: String, password: String) throws {
        try expect(303, "sign-up", post("/sign-up", [("name", name), ("email", email), ("password", password)]))
    }

    /// Signs in.
    func signIn(email: String, password: String) throws {
        try expect(303, "sign-in", post("/sign-in", [("email", email), ("password", password)]))
    }

    /// The path of the first workspace's page: `/workspaces/ws_…/api-webhooks`.
    func keyPage() throws -> String {
        let response = try expect(303, "home", get("/"))
        return response["location"] ?? ""
    }

    /// Moves a workspace to a plan.
    func switchPlan(_ plan: String, page: String) throws {
        let path = page.replacingOccurrences(of: "/api-webhooks", with: "/plan")
        try expect(303, "plan", post(path, [("planID", plan)]))
    }

    /// The key, as the page's script asks for it.
    func reveal(page: String) throws -> String {
        let response = try expect(200, "reveal", post("\(page)/reveal", wantsJSON: true))
        return response.data?["key"] as? String ?? ""
    }

    @discardableResult
    private func expect(_ status: Int, _ request: String, _ response: RawResponse) throws -> RawResponse {
        guard response.status == status else { throw Unexpected(request: request, response: response) }
        return response
    }

    private var cookie: [(String, String)] { token.map { [("Cookie", "\(Self.cookieName)=\($0)")] } ?? [] }

    private func storeCookie(_ response: RawResponse) -> RawResponse {
        if let set = response["set-cookie"], set.hasPrefix("\(Self.cookieName)=") {
            let value = set.dropFirst(Self.cookieName.count + 1).prefix { $0 != ";" }
            token = value.isEmpty ? nil : String(value)
        }
        return response
    }

    private static func escape(_ text: String) -> String {
        text.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
    }
}
