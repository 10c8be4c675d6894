import HTTPTypes
import Keybearer

/// Every ``Keybearer/ErrorCode`` for people: what it means, what to do, and a response with it.
struct ReferenceError: Sendable, Equatable {
    let code: String
    let status: Int
    let meaning: String
    let action: String
    /// A response, as the server writes it.
    let response: String

    /// The entry of a code.
    init(_ code: ErrorCode) {
        let words = Self.words(code)
        let error = Self.example(of: code)
        self.code = code.rawValue
        status = code.status.code
        (meaning, action) = words
        let body = Envelope.failure(code, message: error.message, fields: error.fields, requestID: "req_3dvz03jx1f")
        response = JSONLayout.text(body) ?? ""
    }

    private static func words(_ code: ErrorCode) -> (meaning: String, action: String) {
        switch code {
        case .badRequest:
            (
                "Malformed JSON, header or query, or a value out of its range.",
                "Change the request; the message says where."
            )
        case .unauthorized:
            (
                "The credential is missing or not valid. The message never says which check failed.",
                "Check that the header is there, that nothing follows the token, and that it was not regenerated or revoked."
            )
        case .featureLocked:
            (
                "The plan does not include \(Feature.apiWebhooks.displayName).",
                "A workspace Owner can upgrade the plan. The key stays as it is."
            )
        case .forbidden:
            ("The credential may not do that.", "The message names what is missing, such as the scope of a token.")
        case .httpsRequired:
            (
                "The request came over plain HTTP.",
                "Use https:// and replace the credential: it has crossed the network readable."
            )
        case .addressNotAllowed:
            (
                "The key is limited to networks, and the client's address is in none of them.",
                "Send the request from another address, or add this one to the key's allowed networks."
            )
        case .notFound: ("No such path, or no such thing, or it is not yours.", "Check the path and the ids in it.")
        case .methodNotAllowed:
            ("The path does not know the method.", "The header Allow of the response has the methods that it knows.")
        case .requestTimeout: ("The body did not arrive in 10 seconds.", "Send it again.")
        case .conflict:
            (
                "Something stands in the way: another version, a value that must be unique, or a limit that is full.",
                "Get the thing again, decide, and send the change with its new version."
            )
        case .payloadTooLarge: ("The body is larger than this path accepts.", "Send less at a time.")
        case .unsupportedMediaType:
            ("The body is not of the type that the path reads.", "Set Content-Type as in the example.")
        case .validationFailed:
            ("Some members were not accepted.", "The member fields has each by its name, and what is wrong with it.")
        case .rateLimited:
            (
                "The requests of this hour are used up.",
                "Wait for the seconds in Retry-After. A request that was refused did not count."
            )
        case .internalError:
            ("A fault of the server.", "Send it again later; if it stays, tell the operator the request id.")
        case .unavailable:
            (
                "Part of the service is out of reach. It is never said of a wrong key.",
                "Send the request again, with the same Idempotency-Key where it has one."
            )
        }
    }

    /// The failure of the example.
    static func example(of code: ErrorCode) -> KeybearerError {
        switch code {
        case .badRequest: KeybearerError(.badRequest, "limit must be a whole number from 1 to 100.")
        case .unauthorized: KeybearerError(.unauthorized, Refusal.unauthorizedMessage)
        case .featureLocked:
            KeybearerError(
                .featureLocked,
                "The plan does not include \(Feature.apiWebhooks.displayName). A workspace Owner can upgrade it.")
        case .forbidden: KeybearerError(.forbidden, "The operator token lacks the scope users:write.")
        case .httpsRequired: KeybearerError(.httpsRequired, "Use https:// for every request.")
        case .addressNotAllowed: Refusal.addressNotAllowed(.documentation)
        case .notFound: KeybearerError(.notFound, "There is nothing at this path.")
        case .methodNotAllowed: KeybearerError(.methodNotAllowed, "This path does not answer DELETE.")
        case .requestTimeout: KeybearerError(.requestTimeout, "The body did not arrive in 10 seconds.")
        case .conflict: KeybearerError.emailTaken
        case .payloadTooLarge: KeybearerError(.payloadTooLarge, "The body is larger than 16384 bytes.")
        case .unsupportedMediaType:
            KeybearerError(.unsupportedMediaType, "Send JSON, with Content-Type: application/json.")
        case .validationFailed: KeybearerError.validation(["nmae": "This member is not known."])
        case .rateLimited: KeybearerError(.rateLimited, "The 1000 requests of this hour are used up.")
        case .internalError: KeybearerError(.internalError, "Something went wrong.")
        case .unavailable: KeybearerError.unavailable()
        }
    }
}
