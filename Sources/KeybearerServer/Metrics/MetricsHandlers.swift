import HTTPTypes
import Hummingbird
import NIOCore

/// What Prometheus asks.
struct MetricsHandlers: Sendable {
    /// All that is known now.
    var text: @Sendable () -> String = { "" }

    /// `GET /metrics`, on its own listener alone. From memory, whatever becomes of the database.
    @Sendable func get(_ context: RequestContext) async throws -> Response {
        Response(
            status: .ok, headers: [.contentType: PrometheusRegistry.contentType, .cacheControl: "no-store"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: text())))
    }
}

extension Routes {
    /// On its own listener alone.
    static let metrics = "/metrics"
}
