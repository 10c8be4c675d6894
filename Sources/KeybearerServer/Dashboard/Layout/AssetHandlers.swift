import HTTPTypes
import Hummingbird
import Keybearer
import NIOCore

/// The style sheets, the script and the logo. Their addresses carry a hash of their content, so browsers may keep them.
struct AssetHandlers: Sendable {
    let brand: BrandAssets

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

    /// `GET /assets/brand.css`
    @Sendable func brandStylesheet(_ context: RequestContext) async throws -> Response {
        guard let stylesheet = brand.stylesheet else { throw Self.nothing }
        return Self.respond(stylesheet, hash: brand.stylesheetHash, to: context, type: "text/css; charset=utf-8")
    }

    /// `GET /assets/logo`
    @Sendable func logo(_ context: RequestContext) async throws -> Response {
        guard let logo = brand.logo else { throw Self.nothing }
        var response = Self.respond(logo.bytes, hash: logo.hash, to: context, type: logo.contentType)
        response.headers[HeaderName.csp] = BrandLogo.policy
        return response
    }

    private static let nothing = KeybearerError(.notFound, "There is nothing at this address.")

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
