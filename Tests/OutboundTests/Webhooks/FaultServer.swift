import Foundation
import Keybearer
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization
import TestSupport
import Testing

/// What a receiver does when a request has come whole.
enum Fault: Sendable {
    /// Sends these bytes, and waits for the next request.
    case respond(String)
    /// Sends these bytes, and nothing more.
    case hangAfter(String)
    /// Sends these bytes, then one more every few milliseconds, for ever.
    case trickleAfter(String)
    /// Sends these bytes, then as many as are taken.
    case floodAfter(String)
    /// Sends these bytes, and closes.
    case closeAfter(String)

    /// An answer with a status and a body.
    static func status(_ status: Int, _ headers: [String] = [], body: String = "") -> Fault {
        let lines = ["HTTP/1.1 \(status) Whatever", "Content-Length: \(body.utf8.count)"] + headers
        return .respond(lines.joined(separator: "\r\n") + "\r\n\r\n" + body)
    }
}

/// A receiver on a real socket of this machine that does what a test says, over TLS or not.
final class FaultServer: Sendable {
    /// A request as it came.
    struct Request: Sendable {
        let head: String
        let body: [UInt8]

        /// The values of a header, by its name in lower case.
        func values(_ name: String) -> [String] {
            head.components(separatedBy: "\r\n").filter { $0.lowercased().hasPrefix(name + ":") }
                .map { $0.dropFirst(name.utf8.count + 1).trimmingCharacters(in: .whitespaces) }
        }
    }

    /// How connections are protected.
    enum Protection: Sendable {
        case none
        case certificate(TestCertificate)
    }

    let port: Int
    private let channel: any Channel
    private let record: Record

    private final class Record: Sendable {
        let requests = Lock<[Request]>([])
        let connections = Counter()
    }

    var requests: [Request] { record.requests.withLock { $0 } }
    var connectionCount: Int { record.connections.value }

    private init(_ channel: any Channel, _ record: Record) throws {
        self.channel = channel
        self.record = record
        port = try #require(channel.localAddress?.port)
    }

    /// Runs a body beside a receiver.
    static func serving(
        _ fault: Fault, _ protection: Protection = .none, _ body: (FaultServer) async throws -> Void
    ) async throws {
        let record = Record()
        let tls: NIOSSLContext? =
            switch protection {
            case .none: nil
            case .certificate(let certificate): try certificate.serverContext()
            }
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.backlog, value: 64)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    record.connections.increment()
                    if let tls { try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls)) }
                    try channel.pipeline.syncOperations.addHandler(Handler(fault, record))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let server = try FaultServer(channel, record)
        let result: Result<Void, any Error>
        do { result = .success(try await body(server)) } catch { result = .failure(error) }
        try await channel.close()
        try result.get()
    }

    /// Takes requests apart by their `Content-Length`.
    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        private let fault: Fault
        private let record: Record
        private var received: [UInt8] = []

        init(_ fault: Fault, _ record: Record) {
            self.fault = fault
            self.record = record
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            received += unwrapInboundIn(data).readableBytesView
            let bytes = received
            guard let end = bytes.firstRange(of: Array("\r\n\r\n".utf8)) else { return }
            let request = Request(head: String(decoding: bytes[..<end.lowerBound], as: UTF8.self), body: [])
            let length = request.values("content-length").first.flatMap { Int($0) } ?? 0
            guard bytes.count - end.upperBound >= length else { return }
            let body = Array(bytes[end.upperBound..<(end.upperBound + length)])
            received.removeFirst(end.upperBound + length)
            record.requests.withLock { $0.append(Request(head: request.head, body: body)) }
            act(context)
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

        private func act(_ context: ChannelHandlerContext) {
            switch fault {
            case .respond(let text), .hangAfter(let text): send(text, context)
            case .trickleAfter(let text):
                send(text, context)
                let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
                context.eventLoop.scheduleRepeatedTask(
                    initialDelay: .milliseconds(5), delay: .milliseconds(5)
                ) { task in
                    let (handler, context) = bound.value
                    guard context.channel.isActive else { return task.cancel() }
                    handler.send("x", context)
                }
            case .floodAfter(let text):
                send(text, context)
                flood(context)
            case .closeAfter(let text):
                send(text, context)
                context.close(promise: nil)
            }
        }

        /// The next bytes when the last ones are taken.
        private func flood(_ context: ChannelHandlerContext) {
            let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
            let bytes = ByteBuffer(repeating: UInt8(ascii: "x"), count: 65_536)
            context.writeAndFlush(wrapOutboundOut(bytes)).whenSuccess {
                let (handler, context) = bound.value
                handler.flood(context)
            }
        }

        private func send(_ text: String, _ context: ChannelHandlerContext) {
            if text.isEmpty { return }
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: text)), promise: nil)
        }
    }
}

/// A certificate that signs itself, made by openssl.
struct TestCertificate: Sendable {
    private let directory: TemporaryDirectory
    /// The certificate as PEM.
    let file: String
    private let keyFile: String

    /// - Parameters:
    ///   - host: whose it is.
    ///   - days: how long it is valid; it ended a day ago where that is negative.
    init(host: String, days: Int = 2) throws {
        directory = try TemporaryDirectory()
        (file, keyFile) = (directory.file("cert.pem"), directory.file("key.pem"))
        let today = Date()
        let format = DateFormatter()
        (format.dateFormat, format.timeZone) = ("yyMMddHHmmss'Z'", .gmt)
        let (begin, end) = (today.addingTimeInterval(-86_400 * 10), today.addingTimeInterval(86_400 * Double(days)))
        try Self.run([
            "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=\(host)", "-keyout",
            keyFile, "-out", directory.file("request.pem"),
        ])
        try "subjectAltName=DNS:\(host)\nbasicConstraints=critical,CA:TRUE\n".write(
            toFile: directory.file("extensions"), atomically: true, encoding: .utf8)
        try "".write(toFile: directory.file("index"), atomically: true, encoding: .utf8)
        let configuration = """
            [ca]
            default_ca = own
            [own]
            database = \(directory.file("index"))
            new_certs_dir = \(directory.path)
            rand_serial = yes
            policy = any
            default_md = sha256
            [any]
            commonName = supplied
            """
        try configuration.write(toFile: directory.file("ca.cnf"), atomically: true, encoding: .utf8)
        try Self.run([
            "ca", "-batch", "-selfsign", "-config", directory.file("ca.cnf"), "-in", directory.file("request.pem"),
            "-keyfile", keyFile, "-out", file, "-startdate", format.string(from: begin), "-enddate",
            format.string(from: end), "-extfile", directory.file("extensions"), "-notext",
        ])
    }

    func serverContext() throws -> NIOSSLContext {
        let certificates = try NIOSSLCertificate.fromPEMFile(file)
        let key = try NIOSSLPrivateKey(file: keyFile, format: .pem)
        return try NIOSSLContext(
            configuration: .makeServerConfiguration(
                certificateChain: certificates.map { .certificate($0) }, privateKey: .privateKey(key)))
    }

    private static func run(_ arguments: [String]) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["openssl"] + arguments
        process.standardError = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0, "openssl \(arguments[0])")
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
