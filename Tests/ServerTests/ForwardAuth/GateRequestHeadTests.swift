import NIOCore
import NIOEmbedded
import NIOHTTP1
import TestSupport
import Testing

@testable import Keybearer
@testable import KeybearerServer

/// The gate's own parser, ``GateRequestHead``, beside the HTTP library's.
@Suite struct GateRequestHeadTests {
    /// What both parsers are compared by.
    private struct Reading: Equatable {
        var method: String
        var target: String
        /// The values of the fields that the gate reads, by name, in order.
        var headers: [String: [String]]
    }

    private static let names = [
        "authorization", "x-workspace-id", "forwarded", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-uri",
    ]

    /// The fields whose lines count like one.
    private static let joined: Set = ["forwarded", "x-forwarded-for"]

    private func ours(_ head: [UInt8]) -> Reading? {
        head.withUnsafeBytes { bytes -> Reading? in
            guard bytes.count >= 4 else { return nil }
            let lines = UnsafeRawBufferPointer(rebasing: bytes[..<(bytes.count - 2)])
            guard let parsed = GateRequestHead(lines, limits: .init()) else { return nil }
            func text(_ part: GateRequestHead.Part) -> String {
                String(decoding: bytes[part.start..<part.start + part.count], as: UTF8.self)
            }
            var headers: [String: [String]] = [:]
            for (name, header, spelling) in [
                ("forwarded", parsed.forwarded, "forwarded" as StaticString),
                ("x-forwarded-for", parsed.forwardedFor, "x-forwarded-for"),
            ] where header.occurrences > 0 {
                headers[name] = parsed.values(of: header, named: spelling, in: lines).map { text($0) }
            }
            let read = [
                parsed.authorization, parsed.workspaceID, parsed.forwarded, parsed.forwardedFor, parsed.forwardedProto,
                parsed.forwardedURI,
            ]
            for (name, header) in zip(Self.names, read) where header.occurrences > 0 && headers[name] == nil {
                // Where another field is repeated only that is known, and the first value.
                headers[name] = [text(header.value)] + Array(repeating: "", count: header.occurrences - 1)
            }
            return Reading(method: text(parsed.method), target: text(parsed.target), headers: headers)
        }
    }

    /// The library's reading; nil when it refuses, or when it finds a body or anything but one whole request.
    private func theirs(_ head: [UInt8]) -> Reading? {
        let channel = EmbeddedChannel(handler: ByteToMessageHandler(HTTPRequestDecoder()))
        defer { _ = try? channel.finish(acceptAlreadyClosed: true) }
        guard (try? channel.writeInbound(ByteBuffer(bytes: head))) != nil else { return nil }
        guard case .head(let request)? = try? channel.readInbound(as: HTTPServerRequestPart.self),
            case .end(nil)? = try? channel.readInbound(as: HTTPServerRequestPart.self),
            (try? channel.readInbound(as: HTTPServerRequestPart.self)) == .some(.none)
        else { return nil }
        var headers: [String: [String]] = [:]
        for (name, value) in request.headers where Self.names.contains(name.lowercased()) {
            let isKnown = headers[name.lowercased()] == nil || Self.joined.contains(name.lowercased())
            let trimmed = value.drop { $0 == " " || $0 == "\t" }.reversed().drop { $0 == " " || $0 == "\t" }.reversed()
            headers[name.lowercased(), default: []].append(isKnown ? String(trimmed) : "")
        }
        return Reading(method: request.method.rawValue, target: request.uri, headers: headers)
    }

    /// What is put together and altered: pieces that heads are made of, and pieces that break them.
    private static let pieces: [String] = [
        "GET /gate HTTP/1.1\r\n", "POST /gate/a?b=c HTTP/1.1\r\n", "HEAD /gate HTTP/1.0\r\n", "UNLINK /x HTTP/1.1\r\n",
        "FOO /gate HTTP/1.1\r\n", "get /gate HTTP/1.1\r\n", "GET  /gate HTTP/1.1\r\n", "GET /gate HTTP/2.0\r\n",
        "GET http://x/gate HTTP/1.1\r\n", "GET /a#b HTTP/1.1\r\n", "GET /gate HTTP/1.1\n", "CONNECT a:1 HTTP/1.1\r\n",
        "Host: a\r\n", "Authorization: Bearer x\r\n", "authorization:Bearer y  \r\n", "Authorization : z\r\n",
        "X-Workspace-Id: ws_1\r\n", "X-Forwarded-For: 1.2.3.4, 5.6.7.8\r\n", "x-forwarded-proto:\thttps\t\r\n",
        "X-Forwarded-Uri: /a/b?c\r\n", "Forwarded: for=1.2.3.4\r\n", "x-forwarded-for:9.9.9.9\t\r\n",
        "FORWARDED: \r\n", " folded\r\n", "\tfolded\r\n", "A: \u{1}\r\n",
        "A: \u{0}\r\n", "A\u{0}: b\r\n", "A: é\r\n", "É: a\r\n", "A: b\n", "A: b\r", ": a\r\n", "A\r\n", "A:\r\n",
        "Content-Length: 0\r\n", "Content-Length: 3\r\n", "Content-Length: 0, 0\r\n", "Content-Length: -1\r\n",
        "Content-Length: +0\r\n", "Transfer-Encoding: chunked\r\n", "Transfer-Encoding: identity\r\n",
        "Connection: close\r\n", "Connection: keep-alive\r\n", "Connection: Upgrade\r\nUpgrade: h2c\r\n",
        "Upgrade: websocket\r\n", "\r\n", "\n", "\r", " ", ":", "\u{7f}",
    ]

    /// The methods that the HTTP library knows.
    private static let knownMethods: Set<String> = [
        "GET", "POST", "PUT", "HEAD", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "COPY", "LOCK", "MKCOL", "MOVE",
        "PROPFIND", "PROPPATCH", "SEARCH", "UNLOCK", "BIND", "REBIND", "UNBIND", "ACL", "REPORT", "MKACTIVITY",
        "CHECKOUT", "MERGE", "NOTIFY", "SUBSCRIBE", "UNSUBSCRIBE", "PURGE", "MKCALENDAR", "LINK", "UNLINK",
    ]

    @Test("What the gate's parser accepts, the HTTP library accepts with the same meaning, 60,000 times over")
    func agreesWithTheLibrary() throws {
        let random = RandomSource.seeded(4_711)
        var bytes: [UInt8] = []
        var next = 0
        func number(below limit: Int) -> Int {
            if next + 2 > bytes.count { (bytes, next) = (random.bytes(65_536), 0) }
            defer { next += 2 }
            return (Int(bytes[next]) << 8 | Int(bytes[next + 1])) % limit
        }
        var accepted = 0
        for _ in 0..<60_000 {
            var head: [UInt8] = []
            // Most begin well, so that what comes later is read at all.
            head += Array(Self.pieces[number(below: 10) < 7 ? number(below: 4) : number(below: 12)].utf8)
            if number(below: 10) < 9 { head += Array("Host: a\r\n".utf8) }
            for _ in 0..<number(below: 6) {
                let isGood = number(below: 10) < 7
                head += Array(Self.pieces[isGood ? 13 + number(below: 10) : number(below: Self.pieces.count)].utf8)
            }
            if number(below: 4) == 0, !head.isEmpty {
                for _ in 0...number(below: 2) { head[number(below: head.count)] = UInt8(number(below: 256)) }
            }
            // Up to the first empty line, as the handler cuts it.
            let end = Array("\r\n\r\n".utf8)
            head += end
            guard let cut = head.indices.first(where: { head[$0...].starts(with: end) }) else { continue }
            head = Array(head[..<(cut + 4)])
            guard var our = ours(head) else { continue }
            accepted += 1
            if !Self.knownMethods.contains(our.method) {
                // The library refuses methods that it does not know: it is shown the same request with one that it does.
                head.replaceSubrange(..<our.method.utf8.count, with: Array("GET".utf8))
                our.method = "GET"
            }
            let their = theirs(head)
            guard our == their else {
                Issue.record(
                    "\(String(decoding: head, as: UTF8.self).debugDescription): \(our) and \(String(describing: their))"
                )
                return
            }
        }
        #expect(accepted > 12_000, "only \(accepted) of the heads were any good")
    }

    @Test("Plain heads are read, limits hold")
    func limits() {
        let line = "GET /gate HTTP/1.1\r\nHost: a\r\n"
        #expect(ours(Array("\(line)Authorization: Bearer x\r\n\r\n".utf8))?.headers["authorization"] == ["Bearer x"])
        let most = (0..<99).map { "a\($0): b\r\n" }.joined()
        #expect(ours(Array("\(line)\(most)\r\n".utf8)) != nil)
        #expect(ours(Array("\(line)\(most)a: b\r\n\r\n".utf8)) == nil)
        for method in [
            "GET", "PUT", "OPTIONS", "PROPFIND", "DELETE", "QUERY", "FOO", "CONNECT", "get", "M-SEARCH", "!#$",
        ] {
            #expect(ours(Array("\(method) /gate/x HTTP/1.1\r\nHost: a\r\n\r\n".utf8))?.method == method)
        }
        for method in ["", "G ET", "G(T", "G\u{e9}T", "G\u{0}T"] {
            #expect(ours(Array("\(method) /gate/x HTTP/1.1\r\nHost: a\r\n\r\n".utf8)) == nil, "\(method)")
        }
    }

    @Test("One Host, and not none in HTTP/1.1")
    func host() {
        func accepts(_ head: String) -> Bool { ours(Array("\(head)\r\n".utf8)) != nil }
        #expect(accepts("GET /gate HTTP/1.0\r\n"))
        #expect(!accepts("GET /gate HTTP/1.1\r\n"))
        #expect(accepts("GET /gate HTTP/1.1\r\nHOST: [::1]:80\r\n"))
        #expect(!accepts("GET /gate HTTP/1.1\r\nHost: a\r\nHost: a\r\n"))
        #expect(!accepts("GET /gate HTTP/1.0\r\nHost: a\r\nHost: a\r\n"))
        #expect(!accepts("GET /gate HTTP/1.1\r\nHost: a/b\r\n"))
    }

    @Test(
        "Any header of a proxy counts, whatever is behind X-Forwarded-", arguments: ["X-Forwarded-", "x-forwarded-a"])
    func forwardingHeaders(name: String) {
        let head = Array("GET /gate HTTP/1.1\r\nHost: a\r\n\(name): b\r\n".utf8)
        #expect(head.withUnsafeBytes { GateRequestHead($0, limits: .init())?.hasForwardingHeaders } == true)
    }

    @Test("The end of a connection is asked for in any spelling, and other wishes are none of the gate's")
    func closing() {
        func closes(_ headers: String, version: String = "1.1") -> Bool? {
            let head = Array("GET /gate HTTP/\(version)\r\nHost: a\r\n\(headers)".utf8)
            return head.withUnsafeBytes { GateRequestHead($0, limits: .init())?.closes }
        }
        for value in ["close", "Close", "keep-alive, close", " close ,x", "x,\tCLOSE"] {
            #expect(closes("Connection: \(value)\r\n") == true, "\(value)")
        }
        for value in ["keep-alive", "Upgrade", "closed", "", ",", "x-close"] {
            #expect(closes("Connection: \(value)\r\nUpgrade: h2c\r\n") == false, "\(value)")
        }
        #expect(closes("Connection: x\r\nConnection: close\r\n") == true)
        #expect(closes("", version: "1.0") == true)
    }
}
