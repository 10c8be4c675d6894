import NIOCore
import NIOHPACK
import NIOHTTP2
import NIOPosix
import NIOSSL
import Testing

/// How a request travels.
enum Wire: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case http1 = "HTTP/1.1"
    case http1Kept = "HTTP/1.1, kept open"
    case http1TLS = "HTTP/1.1 over TLS"
    case http2 = "HTTP/2 over TLS"
    case gate = "the gate"

    var testDescription: String { rawValue }
    var isTLS: Bool { self == .http1TLS || self == .http2 }
}

/// A request written as it stands: no field is checked, joined or trimmed on the way out.
struct WireRequest: Sendable {
    var method = "GET"
    var path = "/api/v1/me"
    var headers: [(String, String)] = []
    var body: [UInt8] = []
}

extension WireRequest {
    /// The request's head over HTTP/2.
    func http2Headers(port: Int) -> HPACKHeaders {
        var block = HPACKHeaders([
            (":method", method), (":scheme", "https"), (":authority", "localhost:\(port)"), (":path", path),
        ])
        for (name, value) in headers { block.add(name: name.lowercased(), value: value) }
        return block
    }

    /// The request's head over HTTP/1.1, without the line that ends it.
    func http1Head(port: Int) -> [UInt8] {
        var bytes = Array("\(method) \(path) HTTP/1.1\r\nHost: localhost:\(port)\r\n".utf8)
        for (name, value) in headers { bytes += Array("\(name): \(value)\r\n".utf8) }
        return bytes
    }
}

/// An answer as it came.
struct WireResponse: Sendable {
    let status: Int
    let headers: [(String, String)]
    let body: [UInt8]

    func values(_ name: String) -> [String] {
        headers.filter { $0.0.lowercased() == name }.map(\.1)
    }

    var text: String { String(decoding: body, as: UTF8.self) }
}

/// Sends single requests over real sockets.
struct WireClient: Sendable {
    enum Failure: Error { case closedWithoutResponse }

    let port: Int
    /// The gate's port; 0 when there is none.
    var gatePort = 0
    /// The operator API's own port; 0 when it has none.
    var operatorPort = 0
    /// The metrics' port; 0 when there are none.
    var metricsPort = 0

    func send(_ request: WireRequest, over wire: Wire) async throws -> WireResponse {
        switch wire {
        case .http1: try await sendHTTP1(request, tls: nil)
        case .http1Kept: try await sendHTTP1(request, tls: nil, closing: false)
        case .http1TLS: try await sendHTTP1(request, tls: Self.tls(["http/1.1"]))
        case .http2: try await sendHTTP2(request)
        case .gate: try await sendToGate(request)
        }
    }

    static func tls(_ protocols: [String]) throws -> NIOSSLContext {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.certificateVerification = .none
        configuration.applicationProtocols = protocols
        return try NIOSSLContext(configuration: configuration)
    }

    /// As a gateway asks: the path under the gate's prefix, with the scheme that its client used.
    private func sendToGate(_ request: WireRequest) async throws -> WireResponse {
        var asked = request
        asked.path = "/gate" + request.path
        asked.headers.append(("X-Forwarded-Proto", "https"))
        let gate = WireClient(port: gatePort)
        return try await gate.sendHTTP1(asked, tls: nil)
    }

    private func sendHTTP1(
        _ request: WireRequest, tls: NIOSSLContext?, closing: Bool = true
    ) async throws -> WireResponse {
        var bytes = request.http1Head(port: port)
        if !request.body.isEmpty { bytes += Array("Content-Length: \(request.body.count)\r\n".utf8) }
        if closing { bytes += Array("Connection: close\r\n".utf8) }
        bytes += Array("\r\n".utf8) + request.body
        return try Self.parse(try await roundTrip(bytes, tls: tls, closing: closing))
    }

    /// Sends bytes and answers with all that came back until the server closed.
    ///
    /// - Parameter closing: whether the bytes ask for that; otherwise the client says by closing its half that it is done.
    func roundTrip(_ bytes: [UInt8], tls: NIOSSLContext? = nil, closing: Bool = false) async throws -> [UInt8] {
        let port = port
        return try await Self.roundTrip(bytes, tls: tls, closing: closing) {
            try await $0.connect(host: "127.0.0.1", port: port).get()
        }
    }

    /// Asks the gate on a Unix socket about a key.
    static func requestGate(
        _ key: String, _ more: [(String, String)] = [], unixSocket path: String
    ) async throws -> WireResponse {
        let headers =
            [("Connection", "close"), ("X-Forwarded-Proto", "https"), ("Authorization", "Bearer \(key)")] + more
        let bytes = WireRequest(path: "/gate", headers: headers).http1Head(port: 80) + Array("\r\n".utf8)
        return try parse(
            await roundTrip(bytes, tls: nil, closing: true) { try await $0.connect(unixDomainSocketPath: path).get() })
    }

    private static func roundTrip(
        _ bytes: [UInt8], tls: NIOSSLContext?, closing: Bool,
        connect: (ClientBootstrap) async throws -> any Channel
    ) async throws -> [UInt8] {
        let (channel, response) = try await open(tls: tls, connect: connect)
        channel.writeAndFlush(ByteBuffer(bytes: bytes), promise: nil)
        if !closing { channel.close(mode: .output, promise: nil) }
        return try await response.get()
    }

    /// Connects.
    ///
    /// - Returns: the connection, and all that comes back until its end.
    static func open(
        tls: NIOSSLContext?, connect: (ClientBootstrap) async throws -> any Channel
    ) async throws -> (channel: any Channel, bytes: EventLoopFuture<[UInt8]>) {
        let loop = MultiThreadedEventLoopGroup.singleton.any()
        let done = loop.makePromise(of: [UInt8].self)
        let channel = try await connect(
            ClientBootstrap(group: loop).channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls {
                        try channel.pipeline.syncOperations.addHandler(
                            NIOSSLClientHandler(context: tls, serverHostname: nil))
                    }
                    try channel.pipeline.syncOperations.addHandler(ByteCollector(done: done))
                }
            })
        return (channel, done.futureResult)
    }

    static func parse(_ bytes: [UInt8]) throws -> WireResponse {
        let separator = Array("\r\n\r\n".utf8)
        guard let end = bytes.indices.first(where: { bytes[$0...].starts(with: separator) }) else {
            throw Failure.closedWithoutResponse
        }
        let lines = String(decoding: bytes[..<end], as: UTF8.self).split(separator: "\r\n")
        let status = Int(lines.first?.split(separator: " ").dropFirst().first ?? "") ?? 0
        let headers = lines.dropFirst().map { line in
            let parts = line.split(separator: ":", maxSplits: 1)
            return (String(parts[0]), String(parts.count > 1 ? parts[1].drop { $0 == " " } : ""))
        }
        return WireResponse(status: status, headers: headers, body: Array(bytes[(end + 4)...]))
    }

    private func sendHTTP2(_ request: WireRequest) async throws -> WireResponse {
        let (channel, _, response) = try await openStream(sending: request)
        defer { channel.close(promise: nil) }
        return try await response.get()
    }

    /// Sends a request over HTTP/2 on a connection that has carried another: there, the server's settings hold.
    func sendHTTP2(_ request: WireRequest, after first: WireRequest) async throws -> WireResponse {
        let (channel, _, response) = try await openStream(sending: first)
        defer { channel.close(promise: nil) }
        _ = try await response.get()
        return try await openStream(on: channel, sending: request).response.get()
    }

    /// Opens a connection with one stream.
    ///
    /// - Parameter request: what the stream sends; nil leaves that to the caller.
    /// - Returns: the connection, its stream, and the answer.
    func openStream(
        sending request: WireRequest?
    ) async throws -> (connection: any Channel, stream: any Channel, response: EventLoopFuture<WireResponse>) {
        let context = try Self.tls(["h2"])
        var connection = NIOHTTP2Handler.ConnectionConfiguration()
        connection.headerBlockValidation = .disabled
        connection.contentLengthValidation = .disabled
        let fixed = connection
        let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup).channelInitializer {
            channel in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandler(
                    NIOSSLClientHandler(context: context, serverHostname: nil))
                _ = try channel.pipeline.syncOperations.configureHTTP2Pipeline(
                    mode: .client, connectionConfiguration: fixed, streamConfiguration: .init(),
                    inboundStreamInitializer: { $0.close() })
            }
        }.connect(host: "127.0.0.1", port: port).get()
        let (stream, response) = try await openStream(on: channel, sending: request)
        return (channel, stream, response)
    }

    private func openStream(
        on channel: any Channel, sending request: WireRequest?
    ) async throws -> (stream: any Channel, response: EventLoopFuture<WireResponse>) {
        let done = channel.eventLoop.makePromise(of: WireResponse.self)
        channel.closeFuture.whenComplete { _ in done.fail(Failure.closedWithoutResponse) }
        let port = port
        let opened = channel.eventLoop.makePromise(of: (any Channel).self)
        try await channel.eventLoop.submit {
            let multiplexer = try channel.pipeline.syncOperations.handler(type: NIOHTTP2Handler.self).syncMultiplexer()
            multiplexer.createStreamChannel(promise: opened) { stream in
                stream.eventLoop.makeCompletedFuture {
                    try stream.pipeline.syncOperations.addHandler(
                        StreamCollector(request: request, port: port, done: done))
                }
            }
        }.get()
        return (try await opened.futureResult.get(), done.futureResult)
    }
}

/// Collects all bytes until the connection ends.
private final class ByteCollector: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private var bytes: [UInt8] = []
    private let done: EventLoopPromise<[UInt8]>

    init(done: EventLoopPromise<[UInt8]>) {
        self.done = done
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        bytes += unwrapInboundIn(data).readableBytesView
    }

    func channelInactive(context: ChannelHandlerContext) {
        done.succeed(bytes)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}

/// Writes one request to a stream and collects the answer.
private final class StreamCollector: ChannelInboundHandler {
    typealias InboundIn = HTTP2Frame.FramePayload
    typealias OutboundOut = HTTP2Frame.FramePayload

    private let request: WireRequest?
    private let port: Int
    private let done: EventLoopPromise<WireResponse>
    private var headers: [(String, String)] = []
    private var body: [UInt8] = []

    init(request: WireRequest?, port: Int, done: EventLoopPromise<WireResponse>) {
        self.request = request
        self.port = port
        self.done = done
    }

    func channelActive(context: ChannelHandlerContext) {
        guard let request else { return }
        let headers = request.http2Headers(port: port)
        let hasBody = !request.body.isEmpty
        context.write(wrapOutboundOut(.headers(.init(headers: headers, endStream: !hasBody))), promise: nil)
        if hasBody {
            let data = HTTP2Frame.FramePayload.data(
                .init(data: .byteBuffer(ByteBuffer(bytes: request.body)), endStream: true))
            context.write(wrapOutboundOut(data), promise: nil)
        }
        context.flush()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var isEnd = false
        switch unwrapInboundIn(data) {
        case .headers(let block):
            headers += block.headers.map { ($0.name, $0.value) }
            isEnd = block.endStream
        case .data(let data):
            if case .byteBuffer(let buffer) = data.data { body += buffer.readableBytesView }
            isEnd = data.endStream
        default: break
        }
        guard isEnd else { return }
        let status = Int(headers.first { $0.0 == ":status" }?.1 ?? "") ?? 0
        done.succeed(WireResponse(status: status, headers: headers.filter { $0.0 != ":status" }, body: body))
    }

    func channelInactive(context: ChannelHandlerContext) {
        done.fail(WireClient.Failure.closedWithoutResponse)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        done.fail(error)
        context.close(promise: nil)
    }
}
