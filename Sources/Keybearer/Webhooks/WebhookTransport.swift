/// One attempt to deliver a message, as it is sent.
package struct WebhookRequest: Sendable {
    /// Where to.
    package let url: WebhookURL
    /// Besides those of HTTP itself.
    package let headers: [(name: String, value: String)]
    /// The message's bytes.
    package let body: [UInt8]

    /// Puts a request together.
    package init(url: WebhookURL, headers: [(name: String, value: String)], body: [UInt8]) {
        self.url = url
        self.headers = headers
        self.body = body
    }
}

/// What came of an attempt.
package struct WebhookReply: Sendable, Hashable {
    /// Why there is no answer.
    package enum Problem: String, Sendable, Hashable, CaseIterable {
        /// One of the host's addresses is none that may be called.
        case forbiddenAddress = "forbidden-address"
        /// The host has no address.
        case unknownHost = "unknown-host"
        /// The name was not resolved in time, or the name server failed.
        case resolverFailed = "resolver-failed"
        /// Nobody accepted the connection.
        case connectionFailed = "connection-failed"
        /// The certificate is not one for this host, not valid now, or from nobody who is trusted.
        case tlsFailed = "tls-failed"
        /// There was no answer in time.
        case timedOut = "timed-out"
        /// The connection ended before an answer, or the answer was no HTTP.
        case noAnswer = "no-answer"
        /// It is ours: nothing was tried.
        case ours = "not-tried"

        /// The problem as a sentence for whoever has the endpoint.
        package var words: String {
            switch self {
            case .forbiddenAddress: "The address is not public, or it is this service\u{2019}s own."
            case .unknownHost: "The host has no address."
            case .resolverFailed: "The host's name was not resolved in time."
            case .connectionFailed: "Nobody accepted the connection."
            case .tlsFailed: "The certificate was not accepted."
            case .timedOut: "There was no answer within 15 seconds."
            case .noAnswer: "The connection ended without an answer."
            case .ours: "It was not tried: the fault is on our side."
            }
        }
    }

    /// The answer's status; nil where there was none.
    package let status: Int?
    /// Why there was none.
    package let problem: Problem?
    /// The first bytes of the answer's body, at most ``WebhookRules/mostResponseBytes``.
    package let body: [UInt8]
    /// The value of its `Retry-After`.
    package let retryAfter: String?
    /// The address that was called; nil where none was.
    package let address: IPAddress?

    /// An answer.
    package init(status: Int, body: [UInt8], retryAfter: String?, address: IPAddress?) {
        (self.status, self.problem, self.body, self.retryAfter, self.address) = (status, nil, body, retryAfter, address)
    }

    /// No answer.
    package init(_ problem: Problem, at address: IPAddress? = nil) {
        (status, self.problem, body, retryAfter, self.address) = (nil, problem, [], nil, address)
    }

    /// Whether the message has arrived: any status of 200 to 299.
    package var isDelivered: Bool { status.map { (200..<300).contains($0) } ?? false }
    /// Whether the endpoint says that it is gone for good.
    package var isGone: Bool { status == 410 }
    /// Whether it says something about the endpoint.
    package var isTheirs: Bool { problem != .ours }
}

/// Bounds of an attempt.
package enum WebhookRules {
    /// How long an attempt may take in all, the name's resolution included.
    package static let patience: Duration = .seconds(15)
    /// How many bytes of an answer's body are kept.
    package static let mostResponseBytes = 1_024
}

/// What delivers messages.
package protocol WebhookTransport: WebhookTargets {
    /// Makes one attempt. Ends within ``WebhookRules/patience``, whatever the endpoint does.
    func send(_ request: WebhookRequest) async -> WebhookReply
}

/// What knows which addresses may be called.
package protocol WebhookTargets: Sendable {
    /// Why an endpoint may not be there, as a sentence for whoever wants it; nil where it may, and where its name is not
    /// resolved now: each attempt looks again.
    func problem(of url: WebhookURL) async -> String?
}
