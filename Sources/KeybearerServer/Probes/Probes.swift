import HTTPTypes
import Hummingbird
import Keybearer
import NIOCore

/// What an orchestrator asks: is the process alive, and may it be sent requests.
struct Probes: Sendable {
    let node: Node
    let clocks: Clocks
    let checkStore: @Sendable () async throws -> Void

    /// `GET /healthz`: the process answers.
    @Sendable func health(_ context: RequestContext) async throws -> Response {
        Self.respond(.ok, "ok")
    }

    /// `GET /readyz`: 200 when requests can be decided; 503 with `store_unreachable`, `master_keys_missing`,
    /// `lease_lost`, or why the database is lost, otherwise.
    @Sendable func readiness(_ context: RequestContext) async throws -> Response {
        do {
            try await node.withRequestTimeout(checkStore)
        } catch {
            let lost = (error as? KeybearerError)?.cause as? DatabaseLost
            if let lost { node.fence.giveUp(lost) }
            return Self.respond(.serviceUnavailable, lost?.reason ?? "store_unreachable")
        }
        if node.fence.lacksMasterKeys { return Self.respond(.serviceUnavailable, "master_keys_missing") }
        guard node.fence.holdsLease(at: clocks.steady()) else {
            return Self.respond(.serviceUnavailable, "lease_lost")
        }
        return Self.respond(.ok, "ready")
    }

    private static func respond(_ status: HTTPResponse.Status, _ text: String) -> Response {
        Response(
            status: status, headers: [.contentType: "text/plain; charset=utf-8", .cacheControl: "no-store"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: text + "\n")))
    }
}

extension Routes {
    static let health = "/healthz"
    static let readiness = "/readyz"
}
