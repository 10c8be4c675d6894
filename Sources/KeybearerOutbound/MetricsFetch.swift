import AsyncHTTPClient
import Keybearer
import NIOCore
import NIOHTTP1

/// Asks a server for its metrics, where its setting `metrics-address` has them.
package enum MetricsFetch {
    /// Where they are.
    package enum Place: Sendable {
        case network(host: String, port: Int)
        case socket(path: String)

        fileprivate var request: HTTPClientRequest? {
            switch self {
            case .network(let host, let port):
                HTTPClientRequest(url: "http://\(host.contains(":") ? "[\(host)]" : host):\(port)/metrics")
            case .socket(let path):
                HTTPClientRequest(url: "http+unix://\(HTTPFetch.escape(path))/metrics")
            }
        }
    }

    /// The most bytes of a response.
    private static let mostBytes = 4 * 1_024 * 1_024

    /// The metrics as Prometheus reads them.
    ///
    /// - Throws: `UNAVAILABLE` where nobody answers, or answers otherwise, within five seconds.
    package static func text(from place: Place) async throws -> String {
        guard var request = place.request else { throw KeybearerError(.unavailable, "This is no address of a server.") }
        // A socket's path, which the library would send instead, is no host.
        if case .socket = place { request.headers.add(name: "Host", value: "localhost") }
        do {
            let response = try await HTTPClient.shared.execute(request, timeout: .seconds(5))
            guard response.status == .ok else {
                throw KeybearerError(
                    .unavailable, "There are no metrics: the status is \(response.status.code).")
            }
            return String(buffer: try await response.body.collect(upTo: mostBytes))
        } catch let error as KeybearerError {
            throw error
        } catch {
            throw KeybearerError(.unavailable, "No server serves metrics there.", cause: error)
        }
    }
}
