import HTTPTypes
import Hummingbird
import NIOCore

/// The stylesheet and the script. Their addresses carry a hash of their content, so browsers may keep them.
struct AssetHandlers: Sendable {
    /// `GET /assets/dashboard.css`
    @Sendable func stylesheet(_ exchange: Exchange) async throws -> Response {
        Self.answer(DashboardAssets.stylesheet, type: "text/css; charset=utf-8")
    }

    /// `GET /assets/dashboard.js`
    @Sendable func script(_ exchange: Exchange) async throws -> Response {
        Self.answer(DashboardAssets.script, type: "text/javascript; charset=utf-8")
    }

    private static func answer(_ bytes: [UInt8], type: String) -> Response {
        Response(
            status: .ok, headers: [.contentType: type, .cacheControl: "public, max-age=31536000, immutable"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
    }
}
