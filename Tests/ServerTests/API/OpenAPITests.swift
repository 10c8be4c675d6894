import Foundation
import HTTPTypes
import NIOCore
import TestSupport
import Testing

@testable import Keybearer
@testable import KeybearerServer

@Suite("The OpenAPI document")
struct OpenAPITests {
    private func document(_ fixture: ServerFixture, isTLS: Bool = true) async throws -> [String: Any] {
        let response = try await fixture.respond(.get, "/openapi.json", peer: "192.0.2.9", isTLS: isTLS)
        #expect(response.status == 200)
        #expect(response.headers[.contentType] == "application/json; charset=utf-8")
        return try object(response.body)
    }

    @Test("Anyone gets it who gets /healthz, with or without TLS", arguments: [true, false])
    func served(isTLS: Bool) async throws {
        let document = try await document(try ServerFixture(), isTLS: isTLS)
        #expect(document["openapi"] as? String == "3.1.0")
    }

    @Test("It has every route that a program calls, and no other", arguments: [true, false])
    func operations(isRegenerateByKeyOpen: Bool) async throws {
        let fixture = try ServerFixture { edge, _ in edge.isRegenerateByKeyOpen = isRegenerateByKeyOpen }
        let expected = try RouteWalkTests.routes(fixture).filter {
            switch $0.access {
            case .key, .operatorToken: true
            case .probe, .anyone, .session: false
            }
        }
        let paths = try #require(try await document(fixture)["paths"] as? [String: [String: Any]])
        let described = paths.flatMap { path, operations in
            operations.keys.map { "\($0.uppercased()) \(path)" }
        }
        #expect(Set(described) == Set(expected.map { "\($0.method.rawValue) \($0.path)" }))
        #expect((paths[Routes.regenerateByKey] != nil) == isRegenerateByKeyOpen)
    }

    @Test("Every reference has its schema, and every operation an id of its own")
    func references() async throws {
        let fixture = try ServerFixture()
        let text = try await fixture.respond(.get, "/openapi.json").body
        let document = try object(text)
        let components = try #require(document["components"] as? [String: [String: Any]])
        let schemas = Set(try #require(components["schemas"]).keys)
        let referred = text.matches(of: /#\/components\/schemas\/(\w+)/).map { String($0.1) }
        #expect(Set(referred).isSubset(of: schemas))
        #expect(schemas.isSuperset(of: ["Profile", "Workspace", "Key", "Failure", "Introspection"]))
        let identifiers = text.matches(of: /"operationId" ?: ?"(\w+)"/).map { String($0.1) }
        #expect(identifiers.count == Set(identifiers).count && identifiers.contains("getMe"))
    }

    @Test("A response is what the document says")
    func responses() async throws {
        let fixture = try ServerFixture()
        let (account, key) = try await fixture.account("ada@example.com")
        let headers: HTTPFields = [.authorization: "Bearer \(key)"]
        let workspace = account.workspaces[0].workspace.id
        for (path, noun) in [
            ("/api/v1/me", Profile.self), ("/api/v1/key", KeyJSON.self),
            ("/api/v1/workspaces/\(workspace)", WorkspaceJSON.self), ("/api/v1/nothing", FailureJSON.self),
        ] as [(String, any JSONNoun.Type)] {
            let body = try object(try await fixture.respond(.get, path, headers).body)
            expect(body["data"] ?? body, fits: noun.schema)
        }
        let list = try object(try await fixture.respond(.get, "/api/v1/workspaces", headers).body)
        expect(try #require(list["data"]), fits: [WorkspaceJSON].schema)
        expect(try #require(list["meta"]), fits: PageMeta.schema)
    }

    /// Compares a value with the parts of JSON Schema that the document uses.
    private func expect(_ value: Any, fits schema: Schema, _ place: String = "") {
        if let reference = schema["$ref"] as? String {
            let nouns: [any JSONNoun.Type] =
                Profile.nouns + WorkspaceJSON.nouns + FailureJSON.nouns + PageMeta.nouns + IntrospectionJSON.nouns
            let noun = nouns.first { reference.hasSuffix("/" + $0.noun) }
            return expect(value, fits: noun?.definition ?? [:], place + reference)
        }
        if let choices = schema["anyOf"] as? [Schema] {
            if value is NSNull {
                #expect(choices.contains { $0["type"] as? String == "null" }, "\(place)")
            } else {
                expect(value, fits: choices[0], place)
            }
            return
        }
        switch schema["type"] as? String {
        case "object":
            guard let members = value as? [String: Any] else {
                Issue.record("\(place) is an object")
                return
            }
            let properties = schema["properties"] as? Schema ?? [:]
            let required = schema["required"] as? [String] ?? []
            #expect(Set(required).isSubset(of: members.keys), "\(place)")
            #expect(Set(members.keys).isSubset(of: properties.keys), "\(place)")
            for (name, member) in members {
                expect(member, fits: properties[name] as? Schema ?? [:], "\(place).\(name)")
            }
        case "array":
            guard let elements = value as? [Any] else {
                Issue.record("\(place) is a list")
                return
            }
            for element in elements { expect(element, fits: schema["items"] as? Schema ?? [:], place + "[]") }
        case "string": #expect(value is String, "\(place)")
        case "integer": #expect(value is Int, "\(place)")
        case "boolean": #expect(value is Bool, "\(place)")
        default: Issue.record("\(place) has a schema that the test does not know")
        }
    }
}

@Suite("The profile's bytes")
struct ProfileBytesTests {
    /// What a test makes of an account: names that need escapes, and workspaces or none.
    private static func account(workspaces: Int) -> Account {
        let plans = [Plan.defaultCatalogue[0], Plan.defaultCatalogue[1]]
        let start = Timestamp(millisecondsSinceEpoch: 1_764_000_000_123)
        return Account(
            user: User(
                id: UserID(rawValue: "usr_a1"), email: EmailAddress(normalised: "a'da+x@exämple.com"),
                name: "Ada \"<b>&\\\u{2028}\u{1}é👩‍💻", createdAt: start),
            key: APIKey(
                id: KeyID(rawValue: "key_a1"), version: 1, shownPrefix: "tdc_a1b2", generatedAt: start),
            workspaces: (0..<workspaces).map { number in
                WorkspaceAccess(
                    workspace: Workspace(
                        id: WorkspaceID(rawValue: "ws_\(number)"), name: "A/B <\(number)> \"",
                        planID: plans[number % 2].id, createdAt: start),
                    role: Role.allCases[number % 3], plan: plans[number % 2])
            })
    }

    @Test(
        "They are the encoding of the type", arguments: [0, 1, 3],
        [nil, IPAddress(v4: 0x0102_0304), IPAddress.localSocket])
    func equal(workspaces: Int, address: IPAddress?) throws {
        let account = Self.account(workspaces: workspaces)
        let cache = KeyCache(capacity: 10, rejectedCapacity: 10, random: .seeded(1))
        let token = try #require(
            Array("tdc_".utf8 + Array(repeating: UInt8(ascii: "a"), count: 38)).withUnsafeBufferPointer {
                PresentedToken($0)
            })
        let cached = CachedAccount(
            account: account, token: token, accountState: cache.accountState(of: account.user.id))
        let lastUse = address.map { LastUse(at: Timestamp(millisecondsSinceEpoch: 1_764_000_001_000), address: $0) }
        let rateLimit = RateLimitStatus(
            limit: 1_000, remaining: 7, resetsAfter: .seconds(90),
            reckonedAt: Timestamp(millisecondsSinceEpoch: 1_764_000_002_000))
        let written = ProfileBytes(cached, lastUse: lastUse, rateLimit: rateLimit).response()
        let encoded = try Success(Profile(account, lastUse: lastUse, rateLimit: rateLimit)).response()
        #expect(try Self.value(written) == Self.value(encoded))
        #expect(written.headers == encoded.headers && written.status == encoded.status)
    }

    /// The JSON, whatever the order of its members and its escapes.
    private static func value(_ response: APIResponse) throws -> NSDictionary {
        NSDictionary(dictionary: try object(String(buffer: response.body)))
    }
}

@Suite("A failure's bytes")
struct FailureBytesTests {
    @Test("They are the encoding of the type", arguments: [[:], ["name": "Is \"too\" long.", "a<b": "x"]])
    func equal(wrong: [String: String]) throws {
        let written = Envelope.failure(
            .validationFailed, message: "Some \"values\" & more", fields: wrong, requestID: "req_a1")
        let encoded = try JSONText.encode(
            FailureJSON(
                ok: false, error: .validationFailed, message: "Some \"values\" & more",
                fields: wrong.isEmpty ? nil : wrong, requestId: "req_a1"))
        let (left, right) = (
            try object(String(decoding: written, as: UTF8.self)), try object(String(decoding: encoded, as: UTF8.self))
        )
        #expect(NSDictionary(dictionary: left) == NSDictionary(dictionary: right))
    }
}
