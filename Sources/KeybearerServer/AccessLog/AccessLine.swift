import Keybearer

/// What the access log says of one request.
///
/// Nothing in it is a client's own words: the route is the server's name for the path, never the path itself, which may hold
/// the token of a link; of a key there is what the dashboard shows of it, and of nobody an e-mail address.
struct AccessLine: Sendable {
    /// When it was answered.
    var at: Timestamp
    /// How long the answer took from the request's last byte, or from its head where a body was read behind it.
    var duration: Duration
    var requestID: String
    /// Which part of the server was asked.
    var surface: Surface
    /// The method; `-` for one that HTTP does not name.
    var method: String
    /// The path with its parameters' names, such as `/api/v1/workspaces/{workspaceID}`; `-` where there is none.
    var route: String
    var status: Int
    var client: IPAddress
    /// What was decided about a key, and whose it is.
    var subject = Subject()
    var trace: TraceContext?

    enum Surface: String, Sendable {
        case gate, api, pages, probes
        case operators = "operator"
    }

    /// About whom a request was.
    struct Subject: Sendable {
        var verdict: VerdictMetrics.Name?
        /// Whose key or session it was.
        var userID: UserID?
        /// What the dashboard shows of the key.
        var keyPrefix: String?

        init() {}

        init(_ verdict: Verdict) {
            self.verdict = VerdictMetrics.Name(verdict)
            switch verdict {
            case .admitted(let known, _), .featureLocked(let known, _), .notAMember(let known, _),
                .addressNotAllowed(let known, _), .rateLimited(let known, _):
                userID = known.account.user.id
                keyPrefix = known.account.key.shownPrefix
            case .unauthorized, .throttled, .needsStore, .unavailable: break
            }
        }
    }

    private static let methods: Set<String> = [
        "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE",
    ]

    /// The method as it is logged: a client may send any word.
    static func method(_ text: String) -> String { methods.contains(text) ? text : "-" }

    /// The line with its line break.
    func text(_ format: AccessLog.Format) -> String {
        switch format {
        case .text:
            let parts: [String] = [
                at.description, surface.rawValue, String(status), subject.verdict?.rawValue ?? "-", method, route,
                subject.userID?.rawValue ?? "-", subject.keyPrefix ?? "-", client.textIfAny ?? "-", seconds, requestID,
                trace?.traceText ?? "-",
            ]
            // What an imported key begins with may be anything that a key may be: never a blank, and never a control character.
            return parts.joined(separator: " ") + "\n"
        case .json:
            let members: [(String, String?)] = [
                ("time", at.description), ("request", requestID), ("surface", surface.rawValue), ("method", method),
                ("route", route), ("verdict", subject.verdict?.rawValue), ("account", subject.userID?.rawValue),
                ("key", subject.keyPrefix), ("client", client.textIfAny), ("trace", trace?.traceText),
                ("span", trace?.spanText),
            ]
            let written = members.compactMap { name, value in value.map { "\"\(name)\":\(JSONText.quote($0))" } }
            return "{\(written.joined(separator: ",")),\"status\":\(status),\"seconds\":\(seconds)}\n"
        }
    }

    /// With six digits behind the point.
    private var seconds: String {
        let (whole, rest) = duration.components
        let micros = String(max(0, rest) / 1_000_000_000_000)
        return "\(max(0, whole))." + String(repeating: "0", count: max(0, 6 - micros.count)) + micros
    }
}
