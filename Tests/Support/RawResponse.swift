import Foundation

/// An HTTP/1.1 answer as it came.
package struct RawResponse: Sendable {
    /// The status code.
    package let status: Int
    /// Everything before the body.
    package let head: [UInt8]
    /// The body, without chunk framing.
    package let body: [UInt8]

    /// Reads the status; nil when it is no HTTP/1.1. Fields are read when they are asked for.
    init?(head: [UInt8]) {
        guard head.count >= 12, head.starts(with: Array("HTTP/1.".utf8)), head[8] == 32 else { return nil }
        let digits = head[9..<12].map { Int($0) - 48 }
        guard digits.allSatisfy({ (0...9).contains($0) }) else { return nil }
        self.init(status: digits[0] * 100 + digits[1] * 10 + digits[2], head: head, body: [])
    }

    private init(status: Int, head: [UInt8], body: [UInt8]) {
        self.status = status
        self.head = head
        self.body = body
    }

    func with(body: [UInt8]) -> RawResponse { RawResponse(status: status, head: head, body: body) }

    /// The fields in their order.
    package var headers: [(name: String, value: String)] {
        String(decoding: head, as: UTF8.self).components(separatedBy: "\r\n").dropFirst().compactMap { line in
            guard let colon = line.firstIndex(of: ":") else { return nil }
            return (String(line[..<colon]), line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces))
        }
    }

    /// The first field with this name, in any case.
    package subscript(name: String) -> String? {
        headers.first { $0.name.lowercased() == name.lowercased() }?.value
    }

    /// All fields with this name, in any case.
    package func values(of name: String) -> [String] {
        headers.filter { $0.name.lowercased() == name.lowercased() }.map(\.value)
    }

    /// The body as text.
    package var text: String { String(decoding: body, as: UTF8.self) }

    /// The body as a JSON object; nil when it is none.
    package var json: [String: Any]? {
        (try? JSONSerialization.jsonObject(with: Data(body))) as? [String: Any]
    }

    /// `data` of the envelope of a success.
    package var data: [String: Any]? { json?["data"] as? [String: Any] }

    /// `error` of the envelope of a failure; nil when the body is not that.
    package var errorCode: String? {
        guard let json, json["ok"] as? Bool == false, json["message"] is String else { return nil }
        return json["error"] as? String
    }
}

/// The text of requests.
package enum RawRequest {
    /// A request with a body if there is one.
    ///
    /// - Parameter headers: besides `Host` and `Content-Length`, which are added.
    package static func text(
        _ method: String, _ path: String, headers: [(String, String)] = [], body: String? = nil
    ) -> String {
        var lines = ["\(method) \(path) HTTP/1.1", "Host: localhost"] + headers.map { "\($0.0): \($0.1)" }
        if let body { lines.append("Content-Length: \(body.utf8.count)") }
        return lines.joined(separator: "\r\n") + "\r\n\r\n" + (body ?? "")
    }

    /// `GET` with a key.
    package static func get(_ path: String = "/api/v1/me", key: String) -> String {
        text("GET", path, headers: [("Authorization", "Bearer \(key)")])
    }
}

extension RawConnection {
    /// Sends a request and reads its answer.
    package func roundTrip(_ request: String) throws -> RawResponse {
        try send(request)
        return try receive(isToHead: request.hasPrefix("HEAD "))
    }
}
