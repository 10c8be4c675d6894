import NIOCore
import NIOHTTP2
import NIOPosix
import Testing

/// A request that is sent in parts, as slowly as a test wants.
struct HeldRequest: Sendable {
    private let rest: [UInt8]
    private let write: @Sendable (_ bytes: [UInt8], _ isLast: Bool) -> Void
    private let response: EventLoopFuture<WireResponse>
    private let connection: any Channel
    /// The request's own stream, over HTTP/2.
    private let stream: (any Channel)?

    fileprivate init(
        connection: any Channel, stream: (any Channel)? = nil, rest: [UInt8], response: EventLoopFuture<WireResponse>,
        write: @escaping @Sendable (_ bytes: [UInt8], _ isLast: Bool) -> Void
    ) {
        self.connection = connection
        self.stream = stream
        self.rest = rest
        self.response = response
        self.write = write
    }

    /// Sends a part of the body.
    func send(_ bytes: [UInt8], isLast: Bool = false) { write(bytes, isLast) }

    /// Sends what was held back.
    func finish() { write(rest, true) }

    /// The answer. Over HTTP/1.1 it is complete when the server has closed the connection.
    func response() async throws -> WireResponse {
        defer { connection.close(promise: nil) }
        return try await response.get()
    }

    /// Gives the request up: over HTTP/2 its stream is reset, over HTTP/1.1 the connection ends.
    func abandon() {
        if let stream {
            stream.writeAndFlush(HTTP2Frame.FramePayload.rstStream(.cancel), promise: nil)
        } else {
            connection.close(promise: nil)
        }
    }

    /// Closes the connection.
    func close() { connection.close(promise: nil) }
}

extension WireClient {
    /// Sends a head, and the body but for its last byte.
    ///
    /// - Parameters:
    ///   - sent: how much of the body goes out with the head; nil is all but the last byte.
    ///   - closing: whether an HTTP/1.1 request asks for the connection to be closed behind its answer.
    func hold(
        _ request: WireRequest, over wire: Wire, sending sent: Int? = nil, closing: Bool = true
    ) async throws -> HeldRequest {
        let first = sent ?? max(0, request.body.count - 1)
        let (now, later) = (Array(request.body[..<first]), Array(request.body[first...]))
        let held =
            wire == .http2
            ? try await holdHTTP2(request, later)
            : try await holdHTTP1(request, later, isTLS: wire.isTLS, closing: closing)
        if !now.isEmpty { held.send(now) }
        return held
    }

    private func holdHTTP1(
        _ request: WireRequest, _ rest: [UInt8], isTLS: Bool, closing: Bool
    ) async throws -> HeldRequest {
        let port = port
        let (channel, bytes) = try await Self.open(tls: isTLS ? Self.tls(["http/1.1"]) : nil) {
            try await $0.connect(host: "127.0.0.1", port: port).get()
        }
        var head = request.http1Head(port: port)
        head += Array("Content-Length: \(request.body.count)\r\n".utf8)
        if closing { head += Array("Connection: close\r\n".utf8) }
        channel.writeAndFlush(ByteBuffer(bytes: head + Array("\r\n".utf8)), promise: nil)
        return HeldRequest(
            connection: channel, rest: rest, response: bytes.flatMapThrowing { try Self.parse($0) }
        ) { bytes, _ in
            channel.writeAndFlush(ByteBuffer(bytes: bytes), promise: nil)
        }
    }

    private func holdHTTP2(_ request: WireRequest, _ rest: [UInt8]) async throws -> HeldRequest {
        let (connection, stream, response) = try await openStream(sending: nil)
        let head = HTTP2Frame.FramePayload.headers(.init(headers: request.http2Headers(port: port), endStream: false))
        stream.writeAndFlush(head, promise: nil)
        return HeldRequest(connection: connection, stream: stream, rest: rest, response: response) { bytes, isLast in
            let data = HTTP2Frame.FramePayload.Data(data: .byteBuffer(ByteBuffer(bytes: bytes)), endStream: isLast)
            stream.writeAndFlush(HTTP2Frame.FramePayload.data(data), promise: nil)
        }
    }
}

/// Waits until a condition holds, and fails when it does not within a minute.
func until(
    _ what: Comment, sourceLocation: SourceLocation = #_sourceLocation, _ condition: () async throws -> Bool
) async throws {
    let deadline = ContinuousClock.now.advanced(by: .seconds(60))
    while try await !condition() {
        try #require(ContinuousClock.now < deadline, what, sourceLocation: sourceLocation)
        try await Task.sleep(for: .milliseconds(1))
    }
}
