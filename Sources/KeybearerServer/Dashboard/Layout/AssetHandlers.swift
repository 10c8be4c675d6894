import HTTPTypes
import Hummingbird
import NIOCore

/// The stylesheet and the script. Their addresses carry a hash of their content, so browsers may keep them.
struct AssetHandlers: Sendable {
    /// `GET /assets/dashboard.css`
    @Sendable func stylesheet(_ context: RequestContext) async throws -> Response {
        Self.respond(
            DashboardAssets.stylesheet, hash: DashboardAssets.stylesheetHash, to: context,
            type: "text/css; charset=utf-8")
    }

    /// `GET /assets/dashboard.js`
    @Sendable func script(_ context: RequestContext) async throws -> Response {
        Self.respond(
            DashboardAssets.script, hash: DashboardAssets.scriptHash, to: context,
            type: "text/javascript; charset=utf-8")
    }

    /// Only the version that was asked for may be kept: another node's may differ while versions change.
    private static func respond(_ bytes: [UInt8], hash: String, to context: RequestContext, type: String) -> Response {
        let isThisVersion = context.query?["v"] == hash
        return Response(
            status: .ok,
            headers: [
                .contentType: type,
                .cacheControl: isThisVersion ? "public, max-age=31536000, immutable" : "no-cache",
            ],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
    }
}
