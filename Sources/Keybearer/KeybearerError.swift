/// The closed list of reasons for which Keybearer says no or fails, as clients see them.
public enum ErrorCode: String, Sendable, CaseIterable {
    /// Malformed JSON, header or query.
    case badRequest = "BAD_REQUEST"
    /// Missing or invalid key; the message never says which check failed.
    case unauthorized = "UNAUTHORIZED"
    /// No plan with the feature.
    case featureLocked = "FEATURE_LOCKED"
    /// The role does not allow it.
    case forbidden = "FORBIDDEN"
    /// The request came over plain HTTP.
    case httpsRequired = "HTTPS_REQUIRED"
    /// The key may not be used from the client's address.
    case addressNotAllowed = "ADDRESS_NOT_ALLOWED"
    /// No such thing, or not the caller's.
    case notFound = "NOT_FOUND"
    /// The path exists, the method does not.
    case methodNotAllowed = "METHOD_NOT_ALLOWED"
    /// The body did not arrive in time.
    case requestTimeout = "REQUEST_TIMEOUT"
    /// A version or a uniqueness rule is in the way.
    case conflict = "CONFLICT"
    /// The body is over the limit.
    case payloadTooLarge = "PAYLOAD_TOO_LARGE"
    /// A body that is not JSON.
    case unsupportedMediaType = "UNSUPPORTED_MEDIA_TYPE"
    /// Fields with values that are not accepted.
    case validationFailed = "VALIDATION_FAILED"
    /// The rate limit is used up, or there were too many sign-in attempts.
    case rateLimited = "RATE_LIMITED"
    /// A fault of ours.
    case internalError = "INTERNAL_ERROR"
    /// The store is out of reach: nothing was changed, or it is unknown whether it was.
    case unavailable = "UNAVAILABLE"
}

/// A failure with a closed code, a message that is safe for anyone, and a cause that is only for the log.
public struct KeybearerError: Error, Sendable {
    /// What kind of failure it is.
    public let code: ErrorCode
    /// One or two sentences for a person. Never holds a secret, a path or a driver's words.
    public let message: String
    /// For ``ErrorCode/validationFailed``: the names of the fields and what is wrong with each.
    public let fields: [String: String]
    /// For ``ErrorCode/rateLimited``: how long to wait.
    public let retryAfter: Duration?
    /// What happened underneath, for the log alone.
    public let cause: (any Error)?

    /// Puts a failure together.
    public init(
        _ code: ErrorCode,
        _ message: String,
        fields: [String: String] = [:],
        retryAfter: Duration? = nil,
        cause: (any Error)? = nil
    ) {
        self.code = code
        self.message = message
        self.fields = fields
        self.retryAfter = retryAfter
        self.cause = cause
    }

    /// A refusal of one or more fields.
    public static func validation(_ fields: [String: String]) -> KeybearerError {
        KeybearerError(.validationFailed, "Some values were not accepted.", fields: fields)
    }

    /// Another account has the address.
    package static let emailTaken = KeybearerError(
        .conflict, "There is an account with this e-mail address already.")

    /// The store could not be reached, or did not answer in time.
    public static func unavailable(cause: (any Error)? = nil) -> KeybearerError {
        KeybearerError(.unavailable, "The service is not available for the moment. Try again shortly.", cause: cause)
    }
}

extension KeybearerError: CustomStringConvertible {
    /// The code and the message, without the cause.
    public var description: String { "\(code.rawValue): \(message)" }
}

extension KeybearerError {
    /// The error itself, or a fault of ours that it caused.
    package init(any error: any Error) {
        self = error as? KeybearerError ?? KeybearerError(.internalError, "Something went wrong.", cause: error)
    }

    /// The same failure with what happened underneath, for the log.
    package func caused(by cause: (any Error)?) -> KeybearerError {
        KeybearerError(code, message, fields: fields, retryAfter: retryAfter, cause: cause)
    }
}
