import AsyncHTTPClient
import Keybearer
import NIOCore
import NIOHTTP1

/// Requests to a provider, bounded: the bytes of a response, and the time until its last byte. Redirects are not followed:
/// the operator trusts the addresses that the provider's own document names, and no others.
struct HTTPFetch: Sendable {
    /// The most bytes of a response's body.
    static let mostBytes = 1_024 * 1_024
    /// How long all requests of one step may take together.
    static let patience: Duration = .seconds(5)

    let client: HTTPClient

    /// A response that arrived whole.
    struct Reply: Sendable {
        let status: Int
        let body: [UInt8]
    }

    /// What a client is set up with.
    static var configuration: HTTPClient.Configuration {
        var pool = HTTPClient.Configuration.ConnectionPool(idleTimeout: .seconds(30))
        // Who refuses a connection is down: that is said immediately.
        pool.retryConnectionEstablishment = false
        var configuration = HTTPClient.Configuration(
            redirectConfiguration: .disallow, timeout: .init(connect: .seconds(3), read: .seconds(5)),
            connectionPool: pool)
        configuration.httpVersion = .http1Only
        return configuration
    }

    /// Asks for a document.
    ///
    /// - Parameter what: what is asked for, for the log.
    func get(
        _ url: ProviderURL, _ what: String, bearer: String? = nil, until end: ContinuousClock.Instant
    ) async throws -> Reply {
        var request = HTTPClientRequest(url: url.text)
        if let bearer { request.headers.add(name: "Authorization", value: "Bearer \(bearer)") }
        return try await reply(to: request, what, until: end)
    }

    /// Sends a form.
    func post(
        _ form: [(String, String)], to url: ProviderURL, _ what: String, authorization: String?,
        until end: ContinuousClock.Instant
    ) async throws -> Reply {
        var request = HTTPClientRequest(url: url.text)
        request.method = .POST
        request.headers.add(name: "Content-Type", value: "application/x-www-form-urlencoded")
        if let authorization { request.headers.add(name: "Authorization", value: authorization) }
        request.body = .bytes(ByteBuffer(string: Self.encode(form)))
        return try await reply(to: request, what, until: end)
    }

    /// The whole response, or why there is none. The library's own deadline ends with the response's head.
    private func reply(
        to request: HTTPClientRequest, _ what: String, until end: ContinuousClock.Instant
    ) async throws -> Reply {
        var request = request
        request.headers.add(name: "Accept", value: "application/json")
        request.headers.add(name: "User-Agent", value: "keybearer")
        let (client, wanted) = (client, request)
        return try await withThrowingTaskGroup(of: Reply.self) { group in
            group.addTask {
                do {
                    let response = try await client.execute(wanted, timeout: .seconds(5))
                    let body = try await response.body.collect(upTo: Self.mostBytes)
                    return Reply(status: Int(response.status.code), body: Array(body.readableBytesView))
                } catch {
                    throw IdentityProviderFailure.unreachable("\(what): \(Self.words(for: error))")
                }
            }
            group.addTask {
                try await Task.sleep(until: end, clock: .continuous)
                throw IdentityProviderFailure.unreachable("\(what): not in \(Self.patience)")
            }
            defer { group.cancelAll() }
            guard let first = try await group.next() else {
                throw IdentityProviderFailure.unreachable("\(what): cancelled")
            }
            return first
        }
    }

    /// An error of the network, without anything that was sent or received.
    private static func words(for error: any Error) -> String {
        switch error {
        case let error as HTTPClientError: error.shortDescription
        case is NIOTooManyBytesError: "more than \(mostBytes) bytes"
        case is CancellationError: "cancelled"
        default: "\(type(of: error))"
        }
    }

    /// The text of a form or of a query.
    static func encode(_ pairs: [(String, String)]) -> String {
        pairs.map { "\(escape($0.0))=\(escape($0.1))" }.joined(separator: "&")
    }

    /// Percent escapes for all but letters, digits and `-._~`.
    static func escape(_ text: String) -> String {
        text.utf8.map { byte -> String in
            let isLetterOrDigit = (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
            if isLetterOrDigit || "-._~".utf8.contains(byte) { return String(UnicodeScalar(byte)) }
            let digits = String(byte, radix: 16, uppercase: true)
            return "%" + (digits.count == 1 ? "0" : "") + digits
        }.joined()
    }
}
