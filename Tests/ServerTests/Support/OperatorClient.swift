import Foundation
import HTTPTypes
import TestSupport

@testable import Keybearer
@testable import KeybearerServer

/// A program of the operator, with its token on a server.
struct OperatorClient: Sendable {
    let fixture: ServerFixture
    let token: OperatorToken
    let secret: String

    /// Makes a token; with every scope unless asked otherwise.
    init(
        _ fixture: ServerFixture, _ scopes: Set<OperatorScope> = Set(OperatorScope.allCases), life: Duration? = nil
    ) async throws {
        self.fixture = fixture
        let made = try await fixture.services.operatorTokens.create(
            name: "billing", scopes: scopes, lifetime: life, by: .commandLine)
        (token, secret) = (made.token, made.secret.characters)
    }

    /// What came back.
    struct Reply {
        let status: Int
        let headers: HTTPFields
        let text: String

        /// The whole envelope; empty where there is no body.
        var envelope: [String: Any] {
            (try? JSONSerialization.jsonObject(with: Data(text.utf8))) as? [String: Any] ?? [:]
        }
        var data: [String: Any] { envelope["data"] as? [String: Any] ?? [:] }
        var list: [[String: Any]] { envelope["data"] as? [[String: Any]] ?? [] }
        var meta: [String: Any] { envelope["meta"] as? [String: Any] ?? [:] }
        var error: String? { envelope["error"] as? String }
        var message: String { envelope["message"] as? String ?? "" }
        var problems: [String] { (envelope["fields"] as? [String: Any] ?? [:]).keys.sorted() }
        var id: String { data["id"] as? String ?? "" }
        var version: Int { data["version"] as? Int ?? 0 }
        /// The results of a batch: each with its status and its envelope.
        var results: [(status: Int, body: [String: Any])] {
            (data["results"] as? [[String: Any]] ?? []).map {
                ($0["status"] as? Int ?? 0, $0["body"] as? [String: Any] ?? [:])
            }
        }
    }

    /// Sends a request under `/operator/v1`.
    @discardableResult
    func send(
        _ method: HTTPRequest.Method, _ path: String, _ body: String = "", key: String? = nil, ifMatch: String? = nil,
        type: String? = "application/json"
    ) async throws -> Reply {
        var headers: HTTPFields = [.authorization: "Bearer \(secret)"]
        if !body.isEmpty { headers[.contentType] = type }
        headers[HeaderName.idempotencyKey] = key
        headers[.ifMatch] = ifMatch
        let (status, sent, text) = try await fixture.respond(method, "/operator/v1" + path, headers, body: body)
        return Reply(status: status, headers: sent, text: text)
    }

    /// A user with an id of the product's.
    @discardableResult
    func user(_ externalID: String, verified: Bool = false) async throws -> Reply {
        try await send(
            .put, "/users/ext:\(externalID)",
            #"{"email":"\#(externalID)@example.com","name":"Ada","emailVerified":\#(verified)}"#)
    }

    /// The parts of a list, one after another.
    func pages(_ path: String, limit: Int) async throws -> [[[String: Any]]] {
        var (parts, cursor): ([[[String: Any]]], String?) = ([], nil)
        repeat {
            let query = "?limit=\(limit)" + (cursor.map { "&cursor=\($0)" } ?? "")
            let reply = try await send(.get, path + query)
            parts.append(reply.list)
            cursor = reply.meta["nextCursor"] as? String
        } while cursor != nil && parts.count < 100
        return parts
    }

    /// Sends operations, each with its method, its path and its body.
    func batch(_ operations: [(String, String, String?)], key: String? = nil) async throws -> Reply {
        let texts = operations.map { method, path, body in
            #"{"method":"\#(method)","path":"\#(path)"\#(body.map { #","body":\#($0)"# } ?? "")}"#
        }
        return try await send(.post, "/batch", #"{"operations":[\#(texts.joined(separator: ","))]}"#, key: key)
    }
}
