/// What the audit log says of a request besides who made it and from where.
///
/// The server sets it for the task that answers a request, so that every event of the request has it without each
/// service passing it on. It decides nothing.
public struct RequestOrigin: Sendable, Hashable {
    /// The origin of the request that this task answers.
    @TaskLocal package static var current: RequestOrigin?

    /// The most bytes of a user agent that are kept.
    package static let mostUserAgentBytes = 256

    /// What the client says it is; at most 256 bytes.
    public let userAgent: String?
    /// The request's id, which the log has too.
    public let requestID: String?
    /// The operator token whose portal link opened the session: what is done there is done on behalf of the account.
    public let via: OperatorTokenID?

    /// - Parameter userAgent: empty for none.
    package init(userAgent: String?, requestID: String?, via: OperatorTokenID? = nil) {
        self.userAgent = userAgent.flatMap { $0.isEmpty ? nil : $0.cut(toBytes: Self.mostUserAgentBytes) }
        self.requestID = requestID
        self.via = via
    }

    /// The same request in a session that a portal link opened.
    package func via(_ token: OperatorTokenID?) -> RequestOrigin {
        RequestOrigin(userAgent: userAgent, requestID: requestID, via: token)
    }
}

extension String {
    /// Its beginning of at most so many bytes of UTF-8, whole characters.
    func cut(toBytes most: Int) -> String {
        if utf8.count <= most { return self }
        var (cut, count) = ("", 0)
        for character in self {
            count += String(character).utf8.count
            if count > most { break }
            cut.append(character)
        }
        return cut
    }
}
