import Foundation
import Keybearer
import NIOCore
import Synchronization
import TestSupport
import Testing

@testable import KeybearerOutbound

/// What a ``WebhookSender`` makes of every receiver, with its ``PinnedClients`` and an ``AttemptFailure``, and how a ``WebhookTransport`` reports it.
@Suite("Sending webhooks")
struct WebhookSenderTests {
    private static let loopback = AddressRange("127.0.0.0/8")
    private static let local = IPAddress(v4: 0x7F00_0001)

    /// Settings under which this machine may be called.
    private static func settings(patience: Duration = .seconds(30)) -> WebhookSender.Settings {
        var settings = WebhookSender.Settings()
        settings.allowedNetworks = [loopback].compactMap(\.self)
        settings.patience = patience
        return settings
    }

    private static func request(_ url: String, body: String = #"{"n":1}"#) throws -> WebhookRequest {
        WebhookRequest(
            url: try WebhookURL(parsing: url), headers: [("webhook-id", "evt_1"), ("webhook-sequence", "7")],
            body: Array(body.utf8))
    }

    /// Sends one message to a receiver.
    private static func reply(
        to fault: Fault, patience: Duration = .seconds(30), host: String = "127.0.0.1"
    ) async throws -> WebhookReply {
        let reply = Lock<WebhookReply?>(nil)
        try await FaultServer.serving(fault) { server in
            let request = try request("http://\(host):\(server.port)/hook?x=1")
            try await WebhookSender.withSender(settings(patience: patience)) { sender in
                let received = await sender.send(request)
                reply.withLock { $0 = received }
            }
        }
        return try #require(reply.withLock { $0 })
    }

    @Test("A message arrives as it is, with its headers, and a connection is used again")
    func arrives() async throws {
        try await FaultServer.serving(.status(204)) { server in
            let request = try Self.request("http://localhost:\(server.port)/hook?x=1", body: #"{"ü":"\u0000"}"#)
            try await WebhookSender.withSender(Self.settings()) { sender async throws in
                for _ in 0..<3 { #expect(await sender.send(request).isDelivered) }
            }
            #expect(server.requests.count == 3 && server.connectionCount == 1)
            let first = try #require(server.requests.first)
            #expect(first.head.hasPrefix("POST /hook?x=1 HTTP/1.1\r\n") && first.body == request.body)
            #expect(first.values("host") == ["localhost:\(server.port)"])
            #expect(first.values("content-type") == ["application/json"])
            #expect(first.values("webhook-id") == ["evt_1"] && first.values("webhook-sequence") == ["7"])
            #expect(first.values("accept-encoding").isEmpty)
        }
    }

    @Test(
        "Every status is told, and none is followed",
        arguments: [200, 204, 299, 302, 307, 400, 401, 408, 410, 425, 429, 500, 503])
    func statuses(status: Int) async throws {
        let reply = try await Self.reply(
            to: .status(
                status, ["Location: http://127.0.0.1:1/", "Retry-After: 120"], body: status == 204 ? "" : "why"))
        #expect(reply.status == status && reply.problem == nil && reply.retryAfter == "120")
        #expect(reply.isDelivered == (status < 300) && reply.isGone == (status == 410) && reply.isTheirs)
        #expect(reply.address == Self.local)
        // A private target's answer is nobody's to read.
        #expect(reply.body.isEmpty)
    }

    @Test("A receiver that hangs before its answer is out of time")
    func hangs() async throws {
        let reply = try await Self.reply(to: .hangAfter(""), patience: .milliseconds(300))
        #expect(reply == WebhookReply(.timedOut, at: Self.local))
        let half = try await Self.reply(to: .hangAfter("HTTP/1.1 200 OK\r\nContent-"), patience: .milliseconds(300))
        #expect(half.problem == .timedOut)
    }

    @Test("Behind its head an answer may hang, trickle, flood or break off: the status is there")
    func bodies() async throws {
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n"
        for fault in [Fault.hangAfter(head), .trickleAfter(head), .floodAfter(head), .closeAfter(head + "x")] {
            let reply = try await Self.reply(to: fault, patience: .seconds(2))
            #expect(reply.status == 200 && reply.isDelivered, "\(fault)")
        }
    }

    @Test("A head that never ends, and what is no HTTP, are no answer")
    func malformed() async throws {
        let trickle = try await Self.reply(to: .trickleAfter("HTTP/1.1 200 OK\r\nX: "), patience: .seconds(1))
        #expect(!trickle.isDelivered && trickle.problem != nil)
        let flood = try await Self.reply(to: .floodAfter("HTTP/1.1 200 OK\r\nX: "), patience: .seconds(30))
        #expect(flood.problem == .noAnswer || flood.problem == .timedOut)
        for text in ["SSH-2.0-OpenSSH_9.2\r\n", "\r\n\r\n", "HTTP/1.1 abc OK\r\n\r\n", ""] {
            #expect(try await Self.reply(to: .closeAfter(text)).problem == .noAnswer, "\(text)")
        }
    }

    /// What is kept of an answer, were the receiver one of the public internet.
    private static func body(of fault: Fault) async throws -> String {
        let body = Lock("")
        try await FaultServer.serving(fault) { server in
            var settings = settings()
            (settings.isPublic, settings.own) = ({ _ in true }, { [] })
            let request = try request("http://127.0.0.1:\(server.port)/")
            try await WebhookSender.withSender(settings) { sender in
                let reply = await sender.send(request)
                body.withLock { $0 = String(decoding: reply.body, as: UTF8.self) }
            }
        }
        return body.withLock { $0 }
    }

    @Test("Of a public receiver's answer the first 1,024 bytes are kept, as they came: nothing is unpacked")
    func keptBody() async throws {
        // Bytes that claim to be gzip: a client that unpacks would fail.
        let packed = Fault.status(200, ["Content-Encoding: gzip"], body: "not packed at all")
        #expect(try await Self.body(of: packed) == "not packed at all")
        let long = String(repeating: "x", count: 5_000)
        #expect(try await Self.body(of: .status(500, [], body: long)) == long.prefix(WebhookRules.mostResponseBytes))
        #expect(WebhookRules.mostResponseBytes == 1_024)
    }

    @Test("Nobody listens, and a name without an address")
    func unreachable() async throws {
        let free = Lock(0)
        try await FaultServer.serving(.status(200)) { server in free.withLock { $0 = server.port } }
        let port = free.withLock { $0 }
        try await WebhookSender.withSender(Self.settings()) { sender async throws in
            let refused = try await sender.send(Self.request("http://127.0.0.1:\(port)/"))
            #expect(refused == WebhookReply(.connectionFailed, at: Self.local))
        }
        var settings = Self.settings()
        settings.lookUp = { host in host == "gone.example" ? .failure(.unknownHost) : .failure(.failed) }
        try await WebhookSender.withSender(settings) { sender async throws in
            #expect(try await sender.send(Self.request("http://gone.example/")) == WebhookReply(.unknownHost))
            #expect(try await sender.send(Self.request("http://sick.example/")) == WebhookReply(.resolverFailed))
            #expect(try await sender.problem(of: WebhookURL(parsing: "http://gone.example/")) != nil)
            #expect(try await sender.problem(of: WebhookURL(parsing: "http://sick.example/")) == nil)
        }
    }

    @Test("What this service serves itself is no target, beside it everything is")
    func ownURLs() async throws {
        try await FaultServer.serving(.status(204)) { server in
            let place = "http://localhost:\(server.port)"
            var settings = Self.settings()
            settings.ownURLs = [place + "/developers"]
            try await WebhookSender.withSender(settings) { sender async throws in
                for path in ["/developers", "/developers/api/v1/me", "/developers?x=1"] {
                    let own = "It is an address of this service."
                    #expect(try await sender.send(Self.request(place + path)) == WebhookReply(.forbiddenAddress))
                    #expect(try await sender.problem(of: WebhookURL(parsing: place + path)) == own)
                }
                for path in ["/", "/developers2", "/hooks"] {
                    #expect(try await sender.send(Self.request(place + path)).isDelivered, "\(path)")
                }
            }
            #expect(server.requests.count == 3)
        }
    }

    @Test("Hosts that never answered make no outage; a process without files is its own failure")
    func outage() async throws {
        var settings = Self.settings()
        settings.lookUp = { _ in .failure(.failed) }
        try await WebhookSender.withSender(settings) { sender async throws in
            var problems: [WebhookReply.Problem?] = []
            for number in [1, 1, 1, 2, 3, 4] {
                problems.append(try await sender.send(Self.request("http://\(number).example/")).problem)
            }
            #expect(problems.allSatisfy { $0 == .resolverFailed }, "hosts that never answered are no witnesses")
        }
        #expect(AttemptFailure.of(IOError(errnoCode: EMFILE, reason: "socket")).problem == .ours)
        for number in [ENETUNREACH, EHOSTUNREACH, ETIMEDOUT] {
            #expect(AttemptFailure.of(IOError(errnoCode: number, reason: "connect")).sign == .silent)
        }
        #expect(AttemptFailure.of(IOError(errnoCode: ECONNREFUSED, reason: "connect")).sign == .reached)
    }

    @Test("Of two addresses the second is called when nobody accepts at the first")
    func secondAddress() async throws {
        try await FaultServer.serving(.status(200)) { server in
            var settings = Self.settings()
            settings.lookUp = { _ in .success([IPAddress(v4: 0x7F00_0002), Self.local]) }
            try await WebhookSender.withSender(settings) { sender async throws in
                let reply = try await sender.send(Self.request("http://two.example:\(server.port)/"))
                #expect(reply.isDelivered && reply.address == Self.local)
            }
        }
    }

    @Test("The connection goes to the address that was looked at, and TLS asks for the host")
    func pinned() async throws {
        let certificate = try TestCertificate(host: "hooks.example")
        try await FaultServer.serving(.status(200), .certificate(certificate)) { server in
            var settings = Self.settings()
            settings.trustedCertificates = certificate.file
            settings.lookUp = { _ in .success([Self.local]) }
            try await WebhookSender.withSender(settings) { sender async throws in
                let reply = try await sender.send(Self.request("https://hooks.example:\(server.port)/"))
                #expect(reply.isDelivered && reply.address == Self.local)
                // Another host's certificate.
                let other = try await sender.send(Self.request("https://other.example:\(server.port)/"))
                #expect(other == WebhookReply(.tlsFailed, at: Self.local))
            }
            #expect(server.requests.map { $0.values("host") } == [["hooks.example:\(server.port)"]])
        }
    }

    @Test("A certificate that signs itself, and one that has ended, are not accepted")
    func certificates() async throws {
        let own = try TestCertificate(host: "hooks.example")
        let ended = try TestCertificate(host: "hooks.example", days: -1)
        for (certificate, trusted) in [(own, nil), (ended, ended.file)] {
            try await FaultServer.serving(.status(200), .certificate(certificate)) { server in
                var settings = Self.settings()
                settings.trustedCertificates = trusted
                settings.lookUp = { _ in .success([Self.local]) }
                try await WebhookSender.withSender(settings) { sender async throws in
                    let reply = try await sender.send(Self.request("https://hooks.example:\(server.port)/"))
                    #expect(reply == WebhookReply(.tlsFailed, at: Self.local))
                }
                #expect(server.requests.isEmpty)
            }
        }
    }

    @Test("Without the operator's word, no private address is called, whatever names it")
    func forbidden() async throws {
        try await FaultServer.serving(.status(200)) { server in
            var settings = WebhookSender.Settings()
            settings.lookUp = { _ in .success([Self.local]) }
            try await WebhookSender.withSender(settings) { sender async throws in
                let hosts = [
                    "127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "localhost", "rebound.example",
                ]
                for host in hosts {
                    for scheme in ["http", "https"] {
                        let url = "\(scheme)://\(host):\(server.port)/"
                        #expect(try await sender.send(Self.request(url)).problem == .forbiddenAddress, "\(url)")
                        #expect(try await sender.problem(of: WebhookURL(parsing: url)) != nil, "\(url)")
                    }
                }
            }
            #expect(server.connectionCount == 0)
        }
    }

    @Test("One private address among public ones forbids the host")
    func mixed() async throws {
        var settings = WebhookSender.Settings()
        settings.lookUp = { _ in .success([IPAddress(v4: 0x0808_0808), Self.local]) }
        try await WebhookSender.withSender(settings) { sender async throws in
            let reply = try await sender.send(Self.request("https://mixed.example/"))
            #expect(reply.problem == .forbiddenAddress)
        }
    }

    @Test("Without TLS, a public address is not called")
    func plain() async throws {
        var settings = WebhookSender.Settings()
        settings.lookUp = { _ in .success([IPAddress(v4: 0x0808_0808)]) }
        try await WebhookSender.withSender(settings) { sender async throws in
            #expect(try await sender.send(Self.request("http://public.example/")).problem == .forbiddenAddress)
            let problem = try await sender.problem(of: WebhookURL(parsing: "http://public.example/"))
            #expect(problem == "It does not begin with https://.")
            #expect(try await sender.problem(of: WebhookURL(parsing: "https://public.example/")) == nil)
        }
    }

    @Test("A name that is bound to another address between two attempts is looked at again")
    func rebinding() async throws {
        try await FaultServer.serving(.status(200)) { server in
            let found = Lock([Self.local, IPAddress(v4: 0x0A00_0001)])
            var settings = Self.settings()
            settings.lookUp = { _ in .success([found.withLock { $0.count > 1 ? $0.removeFirst() : $0[0] }]) }
            try await WebhookSender.withSender(settings) { sender async throws in
                let request = try Self.request("http://rebound.example:\(server.port)/")
                #expect(await sender.send(request).isDelivered)
                // Although the connection to the first address still stands.
                #expect(await sender.send(request).problem == .forbiddenAddress)
            }
            #expect(server.requests.count == 1)
        }
    }

    @Test("Webhooks of one host that hang leave others of the same host their connections")
    func oneHost() async throws {
        try await FaultServer.serving(.hangAfter("")) { server in
            let request = try Self.request("http://127.0.0.1:\(server.port)/slow")
            try await WebhookSender.withSender(Self.settings()) { sender in
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for _ in 0..<40 { group.addTask { _ = await sender.send(request) } }
                    try await until("all are connected") { server.connectionCount == 40 }
                    group.cancelAll()
                }
            }
        }
    }

    @Test("Many hosts at a time: each client ends when others took its place")
    func manyHosts() async throws {
        try await FaultServer.serving(.status(200)) { server in
            var settings = Self.settings()
            settings.lookUp = { _ in .success([Self.local]) }
            try await WebhookSender.withSender(settings) { sender async throws in
                await withTaskGroup(of: Bool.self) { group in
                    for number in 0..<(PinnedClients.mostIdle * 2) {
                        group.addTask {
                            let url = "http://host\(number).example:\(server.port)/"
                            return (try? await sender.send(Self.request(url)).isDelivered) ?? false
                        }
                    }
                    for await isDelivered in group { #expect(isDelivered) }
                }
            }
            #expect(server.requests.count == PinnedClients.mostIdle * 2)
        }
    }
}
