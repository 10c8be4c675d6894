import Keybearer

/// What a verdict that is not a pass is answered with, by every part of the edge.
struct Refusal {
    let error: KeybearerError
    /// How the account stands in its hour; nil where no account is known.
    let rateLimit: RateLimitStatus?

    /// Every 401 has this message, whichever check failed.
    static let unauthorizedMessage = "The Secret Key is missing or not valid."

    /// Nil for a verdict that passes.
    init?(_ verdict: Verdict) {
        switch verdict {
        case .admitted: return nil
        case .unauthorized:
            error = KeybearerError(.unauthorized, Self.unauthorizedMessage)
            rateLimit = nil
        case .featureLocked(_, let status):
            let feature = Feature.apiWebhooks.displayName
            error = KeybearerError(
                .featureLocked, "The plan does not include \(feature). A workspace Owner can upgrade it.")
            rateLimit = status
        case .notAMember(_, let status):
            error = KeybearerError(.notFound, "There is no such workspace, or it is not yours.")
            rateLimit = status
        case .rateLimited(_, let status):
            error = KeybearerError(.rateLimited, "The \(status.limit) requests of this hour are used up.")
            rateLimit = status
        case .unavailable(let cause):
            error = .unavailable(cause: (cause as? KeybearerError)?.cause ?? cause)
            rateLimit = nil
        case .needsStore:
            error = .unavailable()
            rateLimit = nil
        }
    }
}

extension KeybearerError {
    /// Whether an operator should find it in the log, request by request.
    ///
    /// What the server refuses by itself until some load is over is not: nothing is broken, and a flood of anonymous
    /// requests would be one of lines.
    var isLogged: Bool {
        code == .internalError || code == .unavailable && (cause != nil || retryAfter == nil)
    }
}
