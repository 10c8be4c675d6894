import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import NIOHTTP2
import NIOPosix
import TestSupport
import Testing

@testable import Keybearer
@testable import KeybearerServer

/// Bodies of requests, as the ``BodyReader`` reads them.
@Suite struct BodyReaderTests {
    /// A listening server whose bodies may take 300 ms, an account's key, and how to reach it.
    private struct Stage: Sendable {
        let server: KeybearerServer
        let client: WireClient
        let fixture: ServerFixture
        let key: String
        let wire: Wire
        let log: LogRecorder

        func request(key: String? = nil, body: Int = 4_000) -> WireRequest {
            WireRequest(
                method: "POST", path: "/api/v1/key/revoke",
                headers: [("Authorization", "Bearer \(key ?? self.key)"), ("Content-Type", "application/json")],
                body: [UInt8](repeating: 32, count: body))
        }
    }

    private static func run(
        _ wire: Wire, timeout: Duration = .seconds(120), _ body: @Sendable (Stage) async throws -> Void
    ) async throws {
        let certificate = wire.isTLS ? try ServerFixture.certificate() : nil
        let log = LogRecorder()
        let fixture = try ServerFixture(
            tls: certificate.map { ($0.certificateFile, $0.keyFile) }, logger: Logger(label: "test") { _ in log }
        ) { edge, _ in
            edge.bodyTimeout = timeout
        }
        let key = try await fixture.account("ada@example.com").key
        let server = try fixture.server()
        try await fixture.listening(server) { client in
            try await body(Stage(server: server, client: client, fixture: fixture, key: key, wire: wire, log: log))
        }
    }

    private static let signIn = WireRequest(
        method: "POST", path: "/sign-in",
        headers: [("Sec-Fetch-Site", "same-origin"), ("Content-Type", "application/x-www-form-urlencoded")],
        body: [UInt8](repeating: UInt8(ascii: "a"), count: 4_000))

    @Test("A body that drips is 408 when its time is over, and the connection closes", arguments: [Wire.http1, .http2])
    func dripping(wire: Wire) async throws {
        try await Self.run(wire, timeout: .milliseconds(300)) { stage in
            for request in [stage.request(), Self.signIn] {
                let held = try await stage.client.hold(request, over: wire, sending: 1, closing: false)
                let dripping = Task {
                    while !Task.isCancelled {
                        held.send([32])
                        try? await Task.sleep(for: .milliseconds(10))
                    }
                }
                // Over HTTP/1.1 this answer is complete only when the server has closed.
                let response = try await held.response()
                dripping.cancel()
                #expect(response.status == 408, "\(request.path): \(response.text)")
                try await until("the memory is given back") { stage.server.bodyMemory.bytesTaken == 0 }
            }
            // The key was not ended.
            let request = WireRequest(headers: [("Authorization", "Bearer \(stage.key)")])
            #expect(try await stage.client.send(request, over: wire).status == 200)
        }
    }

    @Test("A body that never comes is 408; with a bad credential, 401", arguments: [Wire.http1, .http2])
    func silent(wire: Wire) async throws {
        try await Self.run(wire, timeout: .milliseconds(300)) { stage in
            let held = try await stage.client.hold(stage.request(), over: wire, sending: 0, closing: false)
            #expect(try await held.response().status == 408)
            let late = try await stage.client.hold(stage.request(), over: wire, sending: 10, closing: false)
            _ = try await stage.fixture.services.keys.regenerate(
                stage.fixture.account(), idempotencyKey: nil, by: .commandLine)
            #expect(try await late.response().status == 401)
        }
    }

    @Test("Bad credentials are refused at the head, without the body", arguments: [Wire.http1, .http2])
    func badAtHead(wire: Wire) async throws {
        try await Self.run(wire) { stage in
            let ended = stage.key
            _ = try await stage.fixture.services.keys.regenerate(
                stage.fixture.account(), idempotencyKey: nil, by: .commandLine)
            // Once, so that the server knows that it ended.
            let warm = WireRequest(headers: [("Authorization", "Bearer \(ended)")])
            #expect(try await stage.client.send(warm, over: wire).status == 401)
            let foreign = try KeyVault(ring: .generate(from: .system)).issue(prefix: .standard, random: .system)
            for key in [ended, foreign.characters, "", "tdc_short"] {
                for size in [1, 4_000, 1 << 30] {
                    let held = try await stage.client.hold(
                        stage.request(key: key, body: min(size, 100_000)), over: wire, sending: 0)
                    let response = try await held.response()
                    #expect(response.status == 401 && !response.values("www-authenticate").isEmpty)
                }
            }
            var introspection = stage.request(key: "kbo_" + String(repeating: "a", count: 53))
            introspection.path = "/operator/v1/introspect"
            #expect(try await stage.client.hold(introspection, over: wire, sending: 0).response().status == 401)
            var page = Self.signIn
            page.path = "/sign-out"
            #expect(try await stage.client.hold(page, over: wire, sending: 0).response().status == 303)
        }
    }

    @Test(
        "A body over the limit is 413: at its head where it is announced, else when the limit is passed",
        arguments: [Wire.http1, .http2])
    func tooLarge(wire: Wire) async throws {
        try await Self.run(wire) { stage in
            var announced = stage.request(body: 20_000)
            if wire == .http2 { announced.headers.append(("content-length", "20000")) }
            let held = try await stage.client.hold(announced, over: wire, sending: 0)
            #expect(try await held.response().status == 413)
            #expect(try await Self.sendUnannounced(17_000, stage).status == 413)
            #expect(try await Self.sendUnannounced(16_000, stage).status == 400)
            try await until("the memory is given back") { stage.server.bodyMemory.bytesTaken == 0 }
            // A key that ended, of which memory does not know: 401 all the same.
            _ = try await stage.fixture.services.keys.regenerate(
                stage.fixture.account(), idempotencyKey: nil, by: .commandLine)
            #expect(try await stage.client.hold(announced, over: wire, sending: 0).response().status == 401)
        }
    }

    /// Sends a body whose length is not announced. One over the limit is not ended.
    private static func sendUnannounced(_ count: Int, _ stage: Stage) async throws -> WireResponse {
        let isOver = count > BodyReader.objectLimit
        let body = [UInt8](repeating: UInt8(ascii: "x"), count: count)
        var request = stage.request(body: 0)
        guard stage.wire != .http2 else {
            let held = try await stage.client.hold(request, over: .http2, sending: 0)
            held.send(body, isLast: !isOver)
            return try await held.response()
        }
        request.headers += [("Transfer-Encoding", "chunked"), ("Connection", "close")]
        let (channel, bytes) = try await stage.client.open()
        let chunk =
            Array("\(String(count, radix: 16))\r\n".utf8) + body + Array((isOver ? "\r\n" : "\r\n0\r\n\r\n").utf8)
        channel.writeAndFlush(
            ByteBuffer(bytes: request.http1Head(port: stage.client.port) + Array("\r\n".utf8) + chunk), promise: nil)
        return try WireClient.parse(try await bytes.get())
    }

    @Test(
        "A response before the body's end closes the connection, and is read by a client that goes on sending",
        arguments: [Wire.http1, .http1TLS])
    func early(wire: Wire) async throws {
        try await Self.run(wire) { stage in
            let others = stage.server.bodyMemory.hold()
            let cases: [(request: WireRequest, status: Int)] = [
                (stage.request(key: "tdc_short", body: 1 << 20), 401), (stage.request(body: 1 << 20), 413),
                (stage.request(), 503), (Self.signIn, 503),
            ]
            for (request, status) in cases {
                if status == 503, stage.server.bodyMemory.bytesTaken == 0 {
                    #expect(others.take(16 * 1_024 * 1_024 - 10))
                }
                let first = status == 503 ? 100 : 0
                for more in [0, 10_000] {
                    let held = try await stage.client.hold(request, over: wire, sending: first, closing: false)
                    if more > 0 { held.send([UInt8](repeating: 32, count: min(more, request.body.count - 200))) }
                    let response = try await held.response()
                    #expect(
                        response.status == status && response.values("connection") == ["close"], "\(status) \(more)")
                    #expect(response.values("content-length") == ["\(response.body.count)"])
                }
            }
        }
    }

    @Test("A request whose end was read keeps its connection, however it is answered")
    func kept() async throws {
        try await Self.run(.http1) { stage in
            let (port, key) = (stage.client.port, stage.key)
            try await onThread { try Self.roundTripKept(port: port, key: key) }
        }
    }

    private static func roundTripKept(port: Int, key good: String) throws {
        let connection = try RawConnection(port: port)
        for (key, body, status) in [("tdc_short", "{}", 401), (good, "{", 400), (good, "", 204)] {
            let headers = [("Authorization", "Bearer \(key)"), ("Content-Type", "application/json")]
            let request = RawRequest.text("POST", "/api/v1/key/revoke", headers: headers, body: body)
            let response = try connection.roundTrip(request)
            #expect(response.status == status && response["connection"] == nil, "\(response.text)")
        }
    }

    @Test(
        "Full memory is 503 with Retry-After, and room again when others are answered", arguments: [Wire.http1, .http2])
    func fullMemory(wire: Wire) async throws {
        try await Self.run(wire) { stage in
            var others: BodyMemory.Holding? = stage.server.bodyMemory.hold()
            #expect(others?.take(16 * 1_024 * 1_024 - 1_000) == true)
            let refused = try await stage.client.send(stage.request(), over: wire)
            #expect(refused.status == 503 && refused.values("retry-after") == ["1"])
            #expect(try await stage.client.send(Self.signIn, over: wire).status == 503)
            // Anybody can bring that about, as often as he likes.
            #expect(stage.log.lines.isEmpty, "\(stage.log.lines)")
            others = nil
            #expect(try await stage.client.send(stage.request(body: 1), over: wire).status == 400)
            try await until("the memory is given back") { stage.server.bodyMemory.bytesTaken == 0 }
        }
    }

    @Test("A request that is given up changes nothing and keeps no memory", arguments: [Wire.http1, .http2])
    func abandoned(wire: Wire) async throws {
        try await Self.run(wire) { stage in
            // What came looks whole, but the client had not ended it.
            for content in ["{}", "{", ""] {
                for isAnnounced in [true, false] {
                    var request = stage.request(body: 0)
                    request.body = Array((content + " ").utf8)
                    if wire == .http2, isAnnounced {
                        request.headers.append(("content-length", "\(request.body.count)"))
                    }
                    let held = try await stage.client.hold(request, over: wire)
                    try await until("the server reads") { stage.server.bodyMemory.bytesTaken == content.utf8.count }
                    held.abandon()
                    try await until("the memory is given back") { stage.server.bodyMemory.bytesTaken == 0 }
                    held.close()
                }
            }
            let live = WireRequest(headers: [("Authorization", "Bearer \(stage.key)")])
            #expect(try await stage.client.send(live, over: wire).status == 200)
        }
    }

    @Test("Reading ends when its task is cancelled, and when its time is over, though nothing comes")
    func cancellation() async throws {
        for timeout in [Duration.seconds(600), .milliseconds(20)] {
            let (body, source) = RequestBody.makeStream()
            defer { source.finish() }
            let memory = BodyMemory()
            await source.yield(ByteBuffer(string: "begun"))
            let reading = Task {
                var context = RequestContext(
                    request: Request(
                        head: HTTPRequest(method: .post, scheme: nil, authority: nil, path: "/"), body: body),
                    client: Samples.address, requestID: "r", parameters: [:])
                return await BodyReader(timeout: timeout, memory: memory).read(into: &context)
            }
            try await until("it reads") { memory.bytesTaken == 5 || timeout < .seconds(1) }
            if timeout > .seconds(1) { reading.cancel() }
            let problem = await reading.value
            #expect(problem?.code == (timeout > .seconds(1) ? .badRequest : .requestTimeout))
            #expect(memory.bytesTaken == 0)
        }
    }
}

extension ServerFixture {
    /// The id of the only account.
    func account() async throws -> UserID {
        try #require(try await services.accounts.list(page: 1, limit: 1).page.first).user.id
    }
}

extension WireClient {
    /// Opens a plain connection.
    fileprivate func open() async throws -> (channel: any Channel, bytes: EventLoopFuture<[UInt8]>) {
        let port = port
        return try await Self.open(tls: nil) { try await $0.connect(host: "127.0.0.1", port: port).get() }
    }
}
