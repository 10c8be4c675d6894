import HTTPTypes
import Hummingbird
import NIOCore

/// The stylesheet and the script. Their addresses carry a hash of their content, so browsers may keep them.
struct AssetHandlers: Sendable {
    /// `GET /assets/dashboard.css`
    @Sendable func stylesheet(_ exchange: Exchange) async throws -> Response {
        Self.answer(
            DashboardAssets.stylesheet, hash: DashboardAssets.stylesheetHash, to: exchange,
            type: "text/css; charset=utf-8")
    }

    /// `GET /assets/dashboard.js`
    @Sendable func script(_ exchange: Exchange) async throws -> Response {
        Self.answer(
            DashboardAssets.script, hash: DashboardAssets.scriptHash, to: exchange,
            type: "text/javascript; charset=utf-8")
    }

    /// Only the version that was asked for may be kept: another node's may differ while versions change.
    private static func answer(_ bytes: [UInt8], hash: String, to exchange: Exchange, type: String) -> Response {
        let isThisVersion = exchange.query?["v"] == hash
        return Response(
            status: .ok,
            headers: [
                .contentType: type,
                .cacheControl: isThisVersion ? "public, max-age=31536000, immutable" : "no-cache",
            ],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
    }
}
