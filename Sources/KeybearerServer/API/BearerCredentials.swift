import HTTPTypes
import Keybearer

/// What a request says of itself in `Authorization`.
enum BearerCredentials {
    /// No bearer token was sent.
    case none
    /// Something was sent that can be no key: a second field, a list, other characters, another length.
    case malformed
    /// A token that may be a key.
    case token(PresentedToken)

    /// Reads the one `Authorization` field: `Bearer` in any case, one or more spaces, the token, nothing more.
    ///
    /// Repeated fields are looked at as such. The HTTP types would join them with a comma, and two keys in
    /// one request must never be a way to have either of them accepted.
    init(_ headers: HTTPFields) {
        var value: String?
        for header in headers where header.name == .authorization {
            guard value == nil else {
                self = .malformed
                return
            }
            value = header.value
        }
        guard var value else {
            self = .none
            return
        }
        self = value.withUTF8 { BearerCredentials(value: UnsafeRawBufferPointer($0)) }
    }

    /// Reads the value of the one field. Allocates nothing.
    init(value bytes: UnsafeRawBufferPointer) {
        let scheme = StaticString("bearer")
        guard bytes.count > 6, (0..<6).allSatisfy({ bytes[$0] | 0x20 == scheme.utf8Start[$0] }) else {
            self = .none
            return
        }
        var start = 6
        while start < bytes.count, bytes[start] == UInt8(ascii: " ") { start += 1 }
        let token = bytes[start...].withMemoryRebound(to: UInt8.self) {
            PresentedToken(UnsafeBufferPointer(rebasing: $0[...]))
        }
        self = start > 6 ? token.map { .token($0) } ?? .malformed : .malformed
    }

    /// The challenge of a 401: it says that a token was wrong only where one was sent.
    var challenge: String {
        switch self {
        case .none: #"Bearer realm="Keybearer""#
        case .malformed, .token: Self.refusedChallenge
        }
    }

    /// The challenge where a token was sent and is not valid.
    static let refusedChallenge = #"Bearer realm="Keybearer", error="invalid_token""#
}
