import Logging
import NIOCore
import TestSupport
import Testing

@testable import Keybearer
@testable import KeybearerServer

/// Random heads through the gate's parser and its ``GateDecision``.
@Suite("Random bytes at the gate")
struct GateFuzzTests {
    private static let firstLines = [
        "GET /gate HTTP/1.1\r\n", "POST /gate/v1/workspaces/ws_1/x?y=z HTTP/1.1\r\n", "HEAD /gate-nginx HTTP/1.0\r\n",
        "GET /gate-nginx/v1/workspaces/ws_2 HTTP/1.1\r\n", "GET /gate?a HTTP/1.1\r\n", "GET /gatex HTTP/1.1\r\n",
        "QUERY /gate/%77 HTTP/1.1\r\n", "get  /gate HTTP/1.1\r\n", "GET /gate HTTP/2.0\r\n",
        "GET http://x/ HTTP/1.1\r\n",
        "GET /gate#a HTTP/1.1\r\n", "GET /gate HTTP/1.1\n", "", " ", "GET /gate",
    ].map { Array($0.utf8) }

    private static let goodLines = [
        "X-Forwarded-Proto: https\r\n", "Authorization: Bearer x\r\n", "authorization:bearer   ",
        "X-Workspace-Id: ws_1\r\n", "X-Forwarded-For: 1.2.3.4, 5.6.7.8\r\n", "x-forwarded-for: 9.9.9.9\t\r\n",
        "X-Forwarded-For: [2001:db8::1]:80\r\n", "X-Forwarded-Uri: /v1/workspaces/ws_1/b?c\r\n",
        "Forwarded: for=1.2.3.4;by=_x, for=\"[2001:db8::7]:1\"\r\n", "FORWARDED: \r\n", "X-Real-Ip: 1.2.3.4\r\n",
        "Connection: close\r\n", "Connection: keep-alive, CLOSE ,\r\n", "Content-Length: 0\r\n", "A: é\r\n", "A:\r\n",
    ].map { Array($0.utf8) }

    private static let badLines = [
        "Authorization : z\r\n", " folded\r\n", "\tfolded\r\n", "A: \u{1}\r\n", "A\u{0}: b\r\n", "É: a\r\n", "A: b\n",
        "A: b\r", ": a\r\n", "A\r\n", "Content-Length: 3\r\n", "Content-Length: 0, 0\r\n", "Content-Length: +0\r\n",
        "Transfer-Encoding: chunked\r\n", "Host: [::1]:80\r\n", "Host: a/b\r\n", "Host: [g]\r\n", "Host: a:123456\r\n",
        "X-Forwarded-Uri: /v1/workspaces/ws_1/..\u{301}%2f\r\n", "X-Forwarded-Proto: http\r\n", "\r\n", "\n", "\r", " ",
        ":", "\u{7f}", "X-Forwarded-: a\r\n", "X-Forwarded-Uri: /v1/workspaces?\u{301}/ws_1\r\n",
    ].map { Array($0.utf8) }

    private static func head(_ numbers: inout FuzzNumbers, key: [UInt8]) -> [UInt8] {
        var head = numbers.once(in: 4) ? numbers.pick(firstLines) : firstLines[numbers.below(5)]
        if !numbers.once(in: 10) { head += Array("Host: a\r\n".utf8) }
        if numbers.once(in: 2) { head += goodLines[0] }
        if numbers.once(in: 3) { head += Array("Authorization: Bearer ".utf8) + key + [13, 10] }
        for _ in 0..<numbers.below(5) {
            head += numbers.once(in: 8) ? numbers.pick(badLines) : numbers.pick(goodLines)
        }
        if numbers.once(in: 5_000) { for _ in 0..<numbers.below(110) { head += Array("a: b\r\n".utf8) } }
        numbers.mutate(&head, onceIn: 4)
        return head
    }

    /// What the parser found, as the reference has it; nil where a part lies outside of the bytes.
    private static func difference(
        _ bytes: UnsafeRawBufferPointer, _ parsed: GateRequestHead, _ expected: HeadReference
    )
        -> String?
    {
        func has(_ part: GateRequestHead.Part, _ text: [UInt8]) -> Bool {
            part.count >= 0 && part.start >= 0 && part.start + part.count <= bytes.count
                && bytes[part.start..<part.start + part.count].elementsEqual(text)
        }
        guard has(parsed.method, expected.method), has(parsed.target, expected.target) else { return "request line" }
        guard parsed.isHead == (expected.method.map(HeadReference.lowered) == Array("head".utf8)),
            parsed.closes == expected.closes, parsed.hasForwardingHeaders == expected.hasForwardingHeaders
        else { return "flags" }
        for (header, name) in [
            (parsed.authorization, "authorization"), (parsed.workspaceID, "x-workspace-id"),
            (parsed.forwarded, "forwarded"), (parsed.forwardedFor, "x-forwarded-for"),
            (parsed.forwardedProto, "x-forwarded-proto"), (parsed.forwardedURI, "x-forwarded-uri"),
        ] {
            let values = expected[name]
            guard header.occurrences == values.count, values.isEmpty || has(header.value, values[0]) else {
                return name
            }
        }
        for (header, text, name) in [
            (parsed.forwarded, "forwarded" as StaticString, "forwarded"),
            (parsed.forwardedFor, "x-forwarded-for", "x-forwarded-for"),
        ] where header.occurrences > 0 {
            let found = parsed.values(of: header, named: text, in: bytes)
            guard found.count == expected[name].count, zip(found, expected[name]).allSatisfy({ has($0, $1) }) else {
                return "lines of \(name)"
            }
        }
        return nil
    }

    @Test("Heads: the parser reads what a naive one reads", arguments: Fuzzer.cases(short: 270_000))
    func heads(seeds: Range<UInt64>) async throws {
        let key = Array("tdc_0000000000000000000000aaaaaaaaaa000000".utf8)
        var accepted = 0
        try await Fuzzer.run("gate-head", seeds) {
            Self.head(&$0, key: key)
        } check: { input in
            Fuzzer.exactly(input) { bytes in
                switch (GateRequestHead(bytes, limits: .init()), HeadReference(input)) {
                case (let parsed?, let expected?):
                    accepted += 1
                    return Self.difference(bytes, parsed, expected)
                case (nil, nil): return nil
                case (nil, _?): return "was refused"
                case (_?, nil): return "was accepted"
                }
            }
        }
        if !Fuzzer.isReplaying { #expect(accepted * 20 > seeds.count, "heads that were accepted") }
    }

    @Test(
        "Decisions: whatever is requested gets a response, and a 200 only the live key",
        arguments: Fuzzer.cases(short: 200_000, long: 1_000_000))
    func decisions(seeds: Range<UInt64>) async throws {
        let clocks = TestClock().clocks
        let fixture = try ServerFixture(clocks: clocks)
        let (account, text) = try await fixture.account("ada@example.com")
        let plan = Plan(
            id: PlanID(rawValue: "endless"), name: "Endless", features: [.apiWebhooks], hourlyLimit: 100_000_000,
            position: 9)
        _ = try await fixture.services.workspaces.putPlan(plan, by: .commandLine)
        try await fixture.services.workspaces.setPlan(
            plan.id, of: account.workspaces[0].workspace.id, by: .commandLine)
        let node = try #require(fixture.services.node)
        await node.fence.step()
        let settings = GateSettings(
            address: .network(host: "127.0.0.1", port: 0),
            trustedProxies: ["127.0.0.0/8", "5.6.7.8"].compactMap { AddressRange($0) },
            workspacePattern: WorkspacePattern("/v1/workspaces/{workspace}"))
        let decision = GateDecision(
            node: node, clocks: clocks, settings: settings,
            logger: Logger(label: "fuzz") { _ in SwiftLogNoOpLogHandler() })
        let peers = [IPAddress(v4: 0x7F00_0001), IPAddress(v4: 0x0102_0304)].map {
            GateDecision.Peer(address: $0, isTrusted: $0.isLoopback)
        }
        let key = Array(text.utf8)
        var responses = GateResponses(clocks: clocks)
        var out = ByteBuffer()
        var asked = 0
        var responded: [String: Int] = [:]
        try await Fuzzer.run("gate-decision", seeds) {
            Self.head(&$0, key: key)
        } check: { input in
            for peer in peers {
                out.clear()
                let pending = Fuzzer.exactly(input) { bytes in
                    GateRequestHead(bytes, limits: .init()).map {
                        decision.respond($0, in: bytes, from: peer, isStopping: false, with: &responses, to: &out)
                    }
                }
                guard let pending else { return nil }
                if let pending {
                    guard out.readableBytes == 0 else { return "both an answer and a question" }
                    asked += 1
                    responses.write(
                        await decision.verdictFromStore(pending), of: pending.admission,
                        format: pending.format, wall: clocks.wall(), to: &out)
                }
                let said = out.readableBytesView
                guard said.starts(with: "HTTP/1.1 ".utf8), said.count > 12 else { return "no answer" }
                let status = String(decoding: said.dropFirst(9).prefix(3), as: UTF8.self)
                responded[status, default: 0] += 1
                guard status == "200" else { continue }
                guard HeadReference(input)?["authorization"].first?.suffix(key.count).elementsEqual(key) == true else {
                    return "a 200 without the key"
                }
            }
            return nil
        }
        guard !Fuzzer.isReplaying else { return }
        #expect(asked > 0 && responded["200", default: 0] > seeds.count / 50, "\(asked) asked, \(responded)")
        #expect(Set(responded.keys).isSuperset(of: ["200", "400", "401", "403", "404"]), "\(responded)")
    }
}
