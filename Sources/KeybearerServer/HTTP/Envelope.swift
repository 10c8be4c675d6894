import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdCore
import Keybearer
import NIOCore

/// The one shape of every answer of the API: `{"ok":true,"data":…}` or `{"ok":false,"error":"CODE","message":"…"}`.
enum Envelope {
    /// The body of a success, around JSON that is already encoded.
    static func success(_ data: [UInt8]) -> [UInt8] {
        Array(#"{"ok":true,"data":"#.utf8) + data + [UInt8(ascii: "}")]
    }

    /// The body of a success with a value to encode, and the page that a list is.
    static func success(_ data: some Encodable) throws -> [UInt8] { success(try JSONText.encode(data)) }

    /// The same for a part of a list.
    static func success(_ data: some Encodable, meta: some JSONNoun) throws -> [UInt8] {
        let encoded = try JSONText.encode(data)
        return Array(#"{"ok":true,"data":"#.utf8) + encoded + Array(#","meta":"#.utf8) + (try JSONText.encode(meta))
            + [UInt8(ascii: "}")]
    }

    /// The schema of a success.
    static func schema(of data: Schema, meta: Schema? = nil) -> Schema {
        var properties: Schema = ["ok": ["const": true], "data": data]
        if let meta { properties["meta"] = meta }
        return ["type": "object", "properties": properties, "required": properties.keys.sorted()]
    }

    /// The body of a failure. The request id lets an operator find the log line; it says nothing else.
    static func failure(
        _ code: ErrorCode, message: String, fields: [String: String] = [:], requestID: String,
        extra: [String: String] = [:]
    ) -> [UInt8] {
        failureBeginning(code, message: message, fields: fields, extra: extra) + Array((requestID + failureEnd).utf8)
    }

    /// All of a failure's body that stands before the request id: the same every time, so it can be made once. A request
    /// id needs no escaping.
    static func failureBeginning(
        _ code: ErrorCode, message: String, fields: [String: String] = [:], extra: [String: String] = [:]
    ) -> [UInt8] {
        var text = #"{"ok":false,"error":"\#(code.rawValue)","message":"# + JSONText.quote(message)
        if !fields.isEmpty {
            let pairs = fields.sorted { $0.key < $1.key }
                .map { JSONText.quote($0.key) + ":" + JSONText.quote($0.value) }
            text += #","fields":{"# + pairs.joined(separator: ",") + "}"
        }
        for (name, value) in extra.sorted(by: { $0.key < $1.key }) {
            text += "," + JSONText.quote(name) + ":" + JSONText.quote(value)
        }
        return Array((text + #","requestId":""#).utf8)
    }

    /// What stands behind it.
    static let failureEnd = "\"}"

    /// The refusal of a request whose head is none: fields and body, ready for any protocol.
    static func unreadableHead() -> (headers: HTTPFields, body: [UInt8]) {
        let requestID = RequestIdentifier.next()
        let body = unreadableHeadBeginning + Array((requestID + failureEnd).utf8)
        var headers = HTTPFields()
        headers[.contentType] = "application/json; charset=utf-8"
        headers[.contentLength] = String(body.count)
        headers[.cacheControl] = "no-store"
        headers[HeaderName.contentTypeOptions] = "nosniff"
        headers[HeaderName.requestID] = requestID
        return (headers, body)
    }

    private static let unreadableHeadBeginning = failureBeginning(
        .badRequest, message: "The request could not be read: its headers are malformed, too large or too many.")
}

/// Which part of a list an answer holds.
struct PageMeta: JSONNoun {
    let page: Int
    let limit: Int
    let total: Int
    let hasMore: Bool

    static let noun = "PageMeta"
    static let sample = PageMeta(page: 1, limit: 20, total: 0, hasMore: false)
}

/// Where the next part of a list begins.
struct CursorMeta: JSONNoun {
    let limit: Int
    let nextCursor: Nullable<String>
    let hasMore: Bool

    static let noun = "CursorMeta"
    static let sample = CursorMeta(limit: 100, nextCursor: Nullable(nil), hasMore: false)
}

/// A failure. ``Envelope/failure(_:message:fields:requestID:extra:)`` writes the same without encoding it.
struct FailureJSON: JSONNoun {
    let ok: Bool
    let error: ErrorCode
    let message: String
    let fields: [String: String]?
    let requestId: String

    static let noun = "Failure"
    static let sample = FailureJSON(ok: false, error: .notFound, message: "", fields: [:], requestId: "req_a1")
}

/// JSON text from Swift values.
enum JSONText {
    static func encode(_ value: some Encodable) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return [UInt8](try encoder.encode(value))
    }

    /// A JSON string with its quotes. Also escapes `<`, `>` and `&`, so the text is safe inside HTML too.
    static func quote(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "<", ">", "&": quoted += escape(scalar)
            case _ where scalar.value < 32 || scalar.value == 0x2028 || scalar.value == 0x2029: quoted += escape(scalar)
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }

    private static func escape(_ scalar: Unicode.Scalar) -> String {
        let digits = String(scalar.value, radix: 16)
        return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
    }
}

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

extension HTTPFields {
    /// Adds what the account has left of its rate limit: the IETF draft's structured fields, and the older ones.
    ///
    /// `t`, `X-RateLimit-Reset` and `Retry-After` name the second at which the next used requests are back, which is
    /// also the `resetAt` of bodies.
    mutating func addRateLimit(_ rateLimit: RateLimitStatus, now: Timestamp, isRefused: Bool = false) {
        let seconds = rateLimit.secondsUntilReset(from: now)
        let limit = Self.number(Int64(rateLimit.limit))
        let policy = ASCIIText.make(capacity: 48) {
            $0.text("\"hourly\";q=")
            $0.number(Int64(rateLimit.limit))
            $0.text(";w=3600")
        }
        let state = ASCIIText.make(capacity: 64) {
            $0.text("\"hourly\";r=")
            $0.number(Int64(rateLimit.remaining))
            $0.text(";t=")
            $0.number(seconds)
        }
        append(HTTPField(name: HeaderName.rateLimitPolicy, value: policy))
        append(HTTPField(name: HeaderName.rateLimit, value: state))
        append(HTTPField(name: HeaderName.xRateLimitLimit, value: limit))
        append(HTTPField(name: HeaderName.xRateLimitRemaining, value: Self.number(Int64(rateLimit.remaining))))
        append(HTTPField(name: HeaderName.xRateLimitReset, value: Self.number(rateLimit.resetSecond)))
        if isRefused { append(HTTPField(name: .retryAfter, value: Self.number(seconds))) }
    }

    private static func number(_ value: Int64) -> String {
        ASCIIText.make(capacity: 20) { $0.number(value) }
    }
}
