import HTTPTypes
import Hummingbird
import Keybearer
import NIOCore
import Synchronization

/// `GET /docs`: the reference of the routes that the listener serves.
///
/// The page is made at the first request and kept; the address of the server is put into it where no setting names one.
final class ReferenceHandlers: Sendable {
    /// In the page, in the place of the address that a browser uses.
    private static let anyURL = "https://address-of-this-server.invalid"

    private let routes: [Route]
    private let place: Place
    private let keyPrefix: String
    private let renderer: PageRenderer
    private let made = Lock<Made?>(nil)

    /// The page between the places where the address goes.
    private struct Made: Sendable {
        let parts: [String]
        let hash: String
    }

    /// - Parameters:
    ///   - routes: those that the listener serves.
    ///   - place: where clients reach the server; without a public address it is the one that the browser used.
    init(routes: [Route], place: Place, keyPrefix: String, renderer: PageRenderer) {
        self.routes = routes
        self.place = place
        self.keyPrefix = keyPrefix
        self.renderer = renderer
    }

    @Sendable func page(_ context: RequestContext) async throws -> Response {
        let made = page()
        // Plain characters alone: it needs no escaping.
        let html = made.parts.joined(separator: context.baseURL)
        let place = made.parts.count > 1 ? DashboardAssets.contentHash([UInt8](context.baseURL.utf8)) : ""
        let tag = "\"\(made.hash)\(place)\""
        var headers: HTTPFields = [
            .eTag: tag, .cacheControl: "no-cache", HeaderName.csp: Self.policy,
            HeaderName.referrerPolicy: "same-origin", HeaderName.crossOriginOpenerPolicy: "same-origin",
        ]
        if Self.isKnown(tag, to: context) {
            return Response(status: .notModified, headers: headers)
        }
        headers[.contentType] = "text/html; charset=utf-8"
        return Response(status: .ok, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(string: html)))
    }

    /// Whether the browser has the page already (RFC 9110 §13.1.2).
    private static func isKnown(_ tag: String, to context: RequestContext) -> Bool {
        context.headers[values: .ifNoneMatch].contains { value in
            value.split(separator: ",").contains { part in
                let known = part.drop { $0 == " " }
                return known == tag || known == "W/" + tag || known == "*"
            }
        }
    }

    /// The page has no script, no form and no secret.
    private static let policy =
        "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'none'; \(FramePolicy.nobody); "
        + "base-uri 'none'"

    private func page() -> Made {
        made.withLock { made in
            if let made { return made }
            let url = place.publicURL?.description ?? Self.anyURL
            let page = ReferencePage(
                routes: routes,
                place: .init(
                    apiURL: place.apiURL?.description ?? url, operatorURL: url, keyPrefix: keyPrefix))
            let html = renderer.render(page, nonce: "")
            let fresh = Made(
                parts: html.split(separator: Self.anyURL, omittingEmptySubsequences: false).map(String.init),
                hash: DashboardAssets.contentHash([UInt8](html.utf8)))
            made = fresh
            return fresh
        }
    }
}
