import HTTPTypes
import Keybearer
import NIOCore

/// What came of the one real request that the page made with the key.
struct TrialPanel: Sendable, Equatable {
    /// A header of the response.
    struct Header: Sendable, Equatable {
        let name: String
        let value: String
    }

    /// Such as `200 OK`.
    let status: String
    let headers: [Header]
    /// The body, laid out for people where it is JSON.
    let body: String
    let isSuccess: Bool

    init(_ response: APIResponse) {
        status = "\(response.status.code) \(response.status.reasonPhrase)"
        isSuccess = response.status.kind == .successful
        headers = response.headers.map { Header(name: $0.name.rawName, value: $0.value) }
        let bytes = Array(response.body.readableBytesView)
        body = JSONLayout.text(bytes) ?? String(decoding: bytes, as: UTF8.self)
    }
}
