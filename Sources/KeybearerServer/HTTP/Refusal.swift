import Keybearer

/// What a request that may not pass is answered with, by every part of the edge.
struct Refusal {
    let error: KeybearerError
    /// How the account stands against its rate limit; nil where no account is known.
    let rateLimit: RateLimitStatus?
    /// What `WWW-Authenticate` says, on a 401.
    var challenge: Challenge?

    /// Every 401 has this message, whichever check failed.
    static let unauthorizedMessage = "The Secret Key is missing or not valid."

    /// A key that passed, on a request with something else wrong.
    init(_ problem: KeybearerError, rateLimit: RateLimitStatus) {
        error = problem
        self.rateLimit = rateLimit
    }

    /// A key on a request from an address where it may not be used. The address is the client's own to know.
    static func addressNotAllowed(_ address: IPAddress) -> KeybearerError {
        let place = address.textIfAny.map { "from \($0)" } ?? "from a client whose address is not known"
        return KeybearerError(
            .addressNotAllowed, "This key may not be used \(place). Its holder can allow more networks.")
    }

    /// A verdict that does not pass.
    ///
    /// - Parameters:
    ///   - credentials: what was presented.
    ///   - client: who the client is.
    @inline(never)
    init(_ verdict: Verdict, of credentials: BearerCredentials, from client: IPAddress) {
        switch verdict {
        case .unauthorized:
            error = KeybearerError(.unauthorized, Self.unauthorizedMessage)
            rateLimit = nil
            challenge = credentials.challenge
        case .featureLocked(_, let status):
            let feature = Feature.apiWebhooks.displayName
            error = KeybearerError(
                .featureLocked, "The plan does not include \(feature). A workspace Owner can upgrade it.")
            rateLimit = status
        case .notAMember(_, let status):
            error = KeybearerError(.notFound, Admission.noSuchWorkspace)
            rateLimit = status
        case .addressNotAllowed(_, let status):
            error = Self.addressNotAllowed(client)
            rateLimit = status
        case .rateLimited(_, let status):
            error = KeybearerError(.rateLimited, "The \(status.limit) requests of this hour are used up.")
            rateLimit = status
        case .throttled(let wait):
            error = KeybearerError(
                .rateLimited,
                "Too many keys from this address were not valid. Wait \(wait.secondsRoundedUp) seconds and try again.",
                retryAfter: wait)
            rateLimit = nil
        case .unavailable(let cause):
            error = .unavailable(cause: (cause as? KeybearerError)?.cause ?? cause)
            rateLimit = nil
        case .needsStore, .admitted:
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
