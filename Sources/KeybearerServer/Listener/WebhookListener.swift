import HTTPTypes
import Hummingbird
import HummingbirdCore
package import Logging
import NIOCore

/// A receiver of messages for development: listens on this machine alone, and hands over what arrives.
package struct WebhookListener: Sendable {
    /// A message that arrived whole.
    package struct Arrival: Sendable {
        /// By their names in lower case.
        package let headers: [String: String]
        package let body: [UInt8]
    }

    /// Where it listens.
    package static let host = "127.0.0.1"
    /// The most bytes of a body.
    private static let mostBytes = 1_024 * 1_024

    private let port: Int
    private let status: Int
    private let logger: Logger
    private let onListening: @Sendable (Int) -> Void
    private let onArrival: @Sendable (Arrival) async -> Void
    private let onRefusal: @Sendable (String) -> Void

    /// - Parameters:
    ///   - port: 0 takes a free one.
    ///   - status: of every response to a message that arrived whole.
    ///   - onListening: called with the port.
    ///   - onRefusal: called with a sentence.
    package init(
        port: Int, status: Int, logger: Logger, onListening: @escaping @Sendable (Int) -> Void,
        onArrival: @escaping @Sendable (Arrival) async -> Void, onRefusal: @escaping @Sendable (String) -> Void
    ) {
        (self.port, self.status, self.logger) = (port, status, logger)
        (self.onListening, self.onArrival, self.onRefusal) = (onListening, onArrival, onRefusal)
    }

    /// Listens until the process is told to stop.
    package func run() async throws {
        let responder = CallbackResponder<BasicRequestContext> { request, _ in await self.respond(to: request) }
        let application = Application(
            responder: responder,
            configuration: ApplicationConfiguration(address: .hostname(Self.host, port: port)),
            onServerRunning: { channel in self.onListening(channel.localAddress?.port ?? 0) }, logger: logger)
        try await application.runService()
    }

    private func respond(to request: Request) async -> Response {
        guard request.method == .post else {
            return Response(status: .methodNotAllowed, headers: [.allow: "POST"])
        }
        let body: [UInt8]
        do {
            let content = try await request.body.collect(upTo: Self.mostBytes)
            body = Array(content.readableBytesView)
        } catch is NIOTooManyBytesError {
            onRefusal("A message of more than 1 MiB was refused with 413.")
            return Response(status: .contentTooLarge)
        } catch {
            onRefusal("A message did not arrive whole.")
            return Response(status: .badRequest)
        }
        let headers = request.headers.map { ($0.name.canonicalName, $0.value) }
        await onArrival(Arrival(headers: Dictionary(headers) { $1 }, body: body))
        return Response(status: HTTPResponse.Status(code: status))
    }
}
