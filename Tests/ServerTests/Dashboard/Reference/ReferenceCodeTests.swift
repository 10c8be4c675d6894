import Foundation
import Testing

@testable import Keybearer
@testable import KeybearerServer

/// The ``ReferenceCode`` of examples, with ``ReferenceSamples`` in it, as ``JSONLayout`` and ``SchemaText`` write them.
@Suite struct ReferenceCodeTests {
    private static func value(_ json: String) throws -> JSONValue {
        try JSONDecoder().decode(JSONValue.self, from: Data(json.utf8))
    }

    @Test("A read and a write in each language")
    func code() throws {
        let read = ReferenceCode(method: "GET", url: "https://a.example/me", token: "tdc_X", body: .nothing)
        #expect(read.curl == "curl 'https://a.example/me' \\\n  -H 'Authorization: Bearer tdc_X'")
        #expect(read.node.hasPrefix("const response = await fetch('https://a.example/me', {\n  headers: {"))
        #expect(read.python.hasPrefix("import urllib.request\n\nrequest = urllib.request.Request(\n"))
        let body = try Self.value(#"{"b":true,"a":null}"#)
        let write = ReferenceCode(method: "PUT", url: "https://a.example/x", token: "kbo_X", body: .json(body))
        #expect(write.curl.hasPrefix("curl -X PUT 'https://a.example/x'"))
        #expect(write.curl.hasSuffix(#"-d '{"a": null, "b": true}'"#))
        #expect(write.node.contains(#"body: JSON.stringify({"a": null, "b": true}),"#))
        #expect(write.python.contains(#"data=json.dumps({"a": None, "b": True}).encode(),"#))
        let post = ReferenceCode(method: "POST", url: "https://a.example/x", token: "t", body: .form([("token", "k")]))
        #expect(post.curl.hasPrefix("curl 'https") && post.curl.hasSuffix("--data-urlencode 'token=k'"))
        let empty = ReferenceCode(method: "POST", url: "https://a.example/x", token: "t", body: .nothing)
        #expect(empty.curl.hasPrefix("curl -X POST 'https"))
    }

    @Test("Short JSON is on one line, and long JSON is indented")
    func layout() throws {
        #expect(JSONLayout.text(try Self.value(#"{"b":[1,2.5],"a":"é/<"}"#)) == #"{"a": "é/<", "b": [1, 2.5]}"#)
        let long = String(repeating: "x", count: 70)
        #expect(
            JSONLayout.text(try Self.value(#"{"a":["\#(long)",{}],"b":[]}"#))
                == "{\n  \"a\": [\n    \"\(long)\",\n    {}\n  ],\n  \"b\": []\n}")
        #expect(JSONLayout.text(Array("no JSON".utf8)) == nil)
    }

    @Test("Every body of a request has a sample with all that is required, and nothing that is not known")
    func samples() throws {
        for route in try RouteWalkTests.routes(try ServerFixture()) {
            guard case .json(let members, _)? = route.endpoint?.body else { continue }
            guard case .json(.object(let sent)) = ReferenceSamples.body(of: route, keyPrefix: "tdc_") else {
                Issue.record("\(route.path) has no body")
                continue
            }
            #expect(Set(sent.keys).isSubset(of: members.map(\.name)), "\(route.path)")
            #expect(Set(members.filter(\.isRequired).map(\.name)).isSubset(of: sent.keys), "\(route.path)")
        }
    }

    @Test("Schemas in words")
    func schemas() {
        let all: [(Schema, String)] = [
            (String.schema, "text"), (Bool.schema, "true or false"),
            (Timestamp.schema, "time, such as 2026-01-31T12:00:00Z"),
            (
                ["type": "integer", "minimum": 1, "maximum": 1_000, "default": 100],
                "integer from 1 to 1,000; 100 if left out"
            ),
            (["type": "integer", "minimum": -1_000], "integer from −1,000"),
            (Role.schema, "one of owner, admin, member"),
            (UserID.schema, "usr_…"), (WorkspaceID.referenceSchema, "ws_… or ext:…"),
            (ExternalID.nullableSchema, "text of at most 255 characters or null"),
            (EmailAddress.schema, "e-mail address"),
            (Feature.listSchema, "list of “api_webhooks”"), (JSONValue.schema, "any value"),
            (["type": ["string", "null"]], "string or null"),
        ]
        for (schema, words) in all { #expect(SchemaText.describe(schema) == words) }
    }
}
