import HTTPTypes
import HummingbirdCore
import Keybearer
import NIOCore
import Testing

@testable import KeybearerServer

/// ``JSONInput``: the members of a body, each by its type, as ``JSONValue`` keeps them apart.
@Suite struct JSONInputTests {
    private static let known = [
        Endpoint.FormField(name: "a", isRequired: true, description: ""),
        Endpoint.FormField(name: "b", description: ""),
    ]

    private func input(
        _ body: String, type: String? = "application/json", known: [Endpoint.FormField] = Self.known
    ) throws -> JSONInput {
        var headers = HTTPFields()
        headers[.contentType] = type
        let head = HTTPRequest(method: .post, scheme: "https", authority: "x", path: "/", headerFields: headers)
        var context = RequestContext(
            request: Request(head: head, body: RequestBody(buffer: ByteBuffer())), client: .localSocket,
            requestID: "req_1", parameters: [:])
        context.content = ByteBuffer(string: body)
        return try JSONInput(context, known)
    }

    /// The fields that a body is refused for.
    private func problems(_ body: String, _ read: (inout JSONInput) -> Void = { _ in }) throws -> [String] {
        var json = try input(body)
        read(&json)
        do throws(KeybearerError) {
            try json.finish()
            return []
        } catch {
            #expect(error.code == .validationFailed)
            return error.fields.keys.sorted()
        }
    }

    @Test("A body that is nested deeper than any request needs is refused before it is read")
    func depth() throws {
        let nested = { (levels: Int) in
            #"{"a":"# + String(repeating: "[", count: levels - 1) + String(repeating: "]", count: levels - 1) + "}"
        }
        #expect(throws: Never.self) { try input(nested(8)) }
        for body in [nested(9), nested(10_000), #"{"a":[[[[[[[["#] {
            #expect { try input(body) } throws: { ($0 as? KeybearerError)?.message.contains("levels") ?? false }
        }
        #expect(try problems(#"{"a":"[[[[[[[[[[\\\"{{{{{{{{"}"#).isEmpty, "brackets of a text are none")
    }

    @Test("Each type takes its own values: 1 is not true, \"1\" is not 1, null is none of them")
    func types() throws {
        let values = ["null", "true", "1", "1.5", #""1""#, "[]", "[1]", #"["x"]"#, "{}", "-1", "1e3"]
        let good: [(name: String, taken: Set<String>, read: (inout JSONInput) -> Bool)] = [
            ("text", [#""1""#], { $0.text("a") != nil }),
            ("flag", ["true"], { $0.flag("a") != nil }),
            ("number", ["1", "-1", "1e3"], { $0.number("a", in: -1_000...1_000) != nil }),
            ("array", ["[]", "[1]", #"["x"]"#], { $0.array("a") != nil }),
            ("texts", ["[]", #"["x"]"#], { $0.texts("a") != nil }),
        ]
        for (name, taken, read) in good {
            for value in values {
                var isRead = false
                let found = try problems(#"{"a":\#(value)}"#) { isRead = read(&$0) }
                #expect(isRead == taken.contains(value), "\(name) \(value)")
                #expect(found == (taken.contains(value) ? [] : ["a"]), "\(name) \(value)")
            }
        }
    }

    @Test("What was not sent is nil and no problem; null can clear")
    func absent() throws {
        let found = try problems(#"{"a":""}"#) { input in
            let none =
                input.text("b") == nil && input.flag("b") == nil && input.number("b", in: 0...1) == nil
                && input.array("b") == nil && input.texts("b") == nil && input.optionalText("b") == nil
            #expect(none && !input.has("b") && input.externalID("b") == .unchanged)
        }
        #expect(found == [])
        let cleared = try problems(#"{"a":"","b":null}"#) { input in
            #expect(input.has("b") && input.externalID("b") == .cleared && input.optionalText("b") == nil)
        }
        #expect(cleared == [])
        for (value, change) in [(#""42""#, MemberChange.set(ExternalID(rawValue: "42"))), (#""a/b""#, .unchanged)] {
            var json = try input(#"{"a":\#(value)}"#)
            #expect(json.externalID("a") == change)
        }
        for bad in [#""""#, #""..""#, #""a b""#, "0", "false", "[]"] {
            #expect(try problems(#"{"a":\#(bad)}"#) { _ = $0.externalID("a") } == ["a"], "\(bad)")
        }
    }

    @Test("Numbers: whole and in their range, 0 as any other")
    func numbers() throws {
        for (value, number) in [("0", 0), ("-0", 0), ("1", 1), ("10", 10), ("1.0", 1), ("1e1", 10)] {
            var json = try input(#"{"a":\#(value)}"#)
            #expect(json.number("a", in: 0...10) == number)
        }
        for value in ["-1", "11", "0.5", "1e300", "9223372036854775808", "-9223372036854775809"] {
            #expect(try problems(#"{"a":\#(value)}"#) { _ = $0.number("a", in: 0...10) } == ["a"], "\(value)")
        }
    }

    @Test("All that is wrong is named: unknown members, missing ones, wrong types")
    func allProblems() throws {
        #expect(try problems("{}") == ["a"])
        #expect(try problems(#"{"A":"","c":1,"d":null}"#) == ["A", "a", "c", "d"])
        #expect(try problems(#"{"a":1,"b":2,"c":3}"#) { _ = ($0.text("a"), $0.flag("b")) } == ["a", "b", "c"])
        // A hostile body is not named in full.
        let many = (0..<100).map { #""m\#($0)":1"# }.joined(separator: ",")
        #expect(try problems(#"{"a":"",\#(many)}"#).count == 20)
    }

    @Test("What is no JSON object is 400; what is not said to be JSON is 415")
    func bodies() throws {
        for body in ["", "x", "[]", "1", "null", "\"a\"", #"{"a":1"#, #"{"a":1}}"#, "{a:1}", #"{"a":1e999}"#, "\u{0}"] {
            let refused = #expect(throws: KeybearerError.self) { try input(body) }
            #expect(refused?.code == .badRequest, "\(body)")
        }
        // Neither the stack nor the time runs out.
        for nested in [
            String(repeating: "[", count: 500_000), String(repeating: #"{"a":"#, count: 100_000),
            #"{"a":"# + String(repeating: "[", count: 10_000) + String(repeating: "]", count: 10_000) + "}",
        ] {
            let refused = #expect(throws: KeybearerError.self) { try input(nested) }
            #expect(refused?.code == .badRequest)
        }
        for type in ["application/json", "Application/JSON; charset=utf-8", "application/json ;x=y"] {
            _ = try input(#"{"a":""}"#, type: type)
        }
        for type in [nil, "", "text/json", "text/plain", "application/x-www-form-urlencoded", "application/json-seq"] {
            let refused = #expect(throws: KeybearerError.self) { try input(#"{"a":""}"#, type: type) }
            #expect(refused?.code == .unsupportedMediaType, "\(type ?? "-")")
        }
    }

    @Test("A value is encoded as it was sent")
    func encoded() throws {
        let text = #"{"a":null,"b":[true,1,"x",{"c":[]}],"d":1.5}"#
        var json = try input(#"{"a":[\#(text)]}"#)
        let value = json.array("a")?.first
        #expect(String(decoding: try JSONText.encode(value), as: UTF8.self) == text)
    }
}
