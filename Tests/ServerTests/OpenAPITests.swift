import Foundation
import HTTPTypes
import TestSupport
import Testing

@testable import Keybearer
@testable import KeybearerServer

/// The ``OpenAPI`` document: each ``Endpoint``, and the schema of each ``JSONNoun``, such as ``KeyJSON`` and
/// ``WorkspaceJSON``, by ``SchemaTypes``.
@Suite struct OpenAPITests {
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
