import HTTPTypes

/// The names of header fields that the HTTP library has no constants for.
enum HeaderName {
    static let contentTypeOptions = name("X-Content-Type-Options")
    static let csp = name("Content-Security-Policy")
    static let crossOriginOpenerPolicy = name("Cross-Origin-Opener-Policy")
    static let forwarded = name("Forwarded")
    static let forwardedFor = name("X-Forwarded-For")
    static let forwardedHost = name("X-Forwarded-Host")
    static let forwardedProto = name("X-Forwarded-Proto")
    static let idempotencyKey = name("Idempotency-Key")
    static let rateLimit = name("RateLimit")
    static let rateLimitPolicy = name("RateLimit-Policy")
    static let referrerPolicy = name("Referrer-Policy")
    static let refresh = name("Refresh")
    static let requestID = name("X-Request-Id")
    static let traceParent = name(TraceContext.fieldName)
    static let fetchDestination = name("Sec-Fetch-Dest")
    static let fetchSite = name("Sec-Fetch-Site")
    static let shownInFrame = name("X-Portal-Frame")
    static let workspaceID = name("X-Workspace-Id")
    static let xRateLimitLimit = name("X-RateLimit-Limit")
    static let xRateLimitRemaining = name("X-RateLimit-Remaining")
    static let xRateLimitReset = name("X-RateLimit-Reset")

    private static func name(_ text: String) -> HTTPField.Name {
        guard let name = HTTPField.Name(text) else { preconditionFailure("\(text) is not a field name") }
        return name
    }
}
