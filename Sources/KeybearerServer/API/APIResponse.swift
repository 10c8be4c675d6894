import HTTPTypes
import Hummingbird
import Keybearer
import NIOCore

/// An answer of the API: whole and in memory, so that it can be written immediately, by whoever has the connection.
struct APIResponse: Sendable {
    var status: HTTPResponse.Status
    var headers: HTTPFields
    var body = ByteBuffer()

    /// An answer of JSON that is never stored: it is about one account, or holds its key.
    static func json(_ body: ByteBuffer, status: HTTPResponse.Status = .ok) -> APIResponse {
        // Room for all that is added later, so that the fields are not moved on every request.
        var headers = HTTPFields()
        headers.reserveCapacity(16)
        headers.append(jsonType)
        headers.append(noStore)
        return APIResponse(status: status, headers: headers, body: body)
    }

    static func json(_ body: [UInt8], status: HTTPResponse.Status = .ok) -> APIResponse {
        json(ByteBuffer(bytes: body), status: status)
    }

    /// The form that the HTTP library writes.
    var response: Response {
        Response(
            status: status, headers: headers,
            body: body.readableBytes > 0 ? ResponseBody(byteBuffer: body) : ResponseBody())
    }

    private static let jsonType = HTTPField(name: .contentType, value: "application/json; charset=utf-8")
    private static let noStore = HTTPField(name: .cacheControl, value: "no-store")
}
