import HTTPTypes
import Keybearer
import NIOCore

/// Writes the gate's answers as bytes: identity on allow, the contract's envelope on deny.
struct GateResponses {
    /// How a denial travels.
    enum Mode {
        /// With the status of the contract.
        case plain
        /// For nginx, whose `auth_request` knows 401 and 403 alone: every other denial of the client is a 403, and the
        /// reason is in a field.
        case nginx
    }

    /// What an answer has to fit.
    struct ResponseFormat {
        var mode: Mode
        /// Whether the body is left out: the answer to `HEAD`.
        var isHead: Bool
        /// Whether the connection ends with it.
        var closes: Bool
        /// The trace that the request is part of, for whoever is asked next.
        var trace: TraceContext?
    }

    /// A denial without what is another's each time. Those that a flood meets are made once.
    struct Denial {
        let code: ErrorCode
        /// What `WWW-Authenticate` says, on a 401.
        let challenge: Challenge?
        /// How long to wait, where no account's rate limit says so.
        var retryAfter: Duration?
        /// The body up to the request id.
        fileprivate let body: [UInt8]

        init(_ code: ErrorCode, message: String, challenge: Challenge? = nil) {
            self.code = code
            self.challenge = challenge
            body = Envelope.failureBeginning(code, message: message)
        }

        static let tokenRefused = Denial(
            .unauthorized, message: Refusal.unauthorizedMessage, challenge: .refused)
        static let tokenMissing = Denial(
            .unauthorized, message: Refusal.unauthorizedMessage, challenge: .missing)
        static let noGate = Denial(.notFound, message: "There is no gate at this path.")
        static let httpsRequired = Denial(.httpsRequired, message: "Use https:// for every request.")
        static let unreadable = Denial(
            .badRequest, message: "The request could not be read: it is malformed, too large, or has a body.")
    }

    private let clocks: Clocks
    private let challenges: Challenges
    private var date: (second: Int64, text: [UInt8]) = (.min, [])

    init(clocks: Clocks, challenges: Challenges = Challenges()) {
        self.clocks = clocks
        self.challenges = challenges
    }

    private static let allowBody: StaticString = #"{"ok":true}"#

    /// What was written.
    struct Written {
        /// The number of the request in its identifier.
        let request: UInt64
        /// With which status.
        let status: Int
        /// Whether it was refused for a reason of its account's or of ours.
        var isRefused = false
        /// Whether the reason is ours.
        var isOurFault = false
    }

    /// Writes what a verdict comes to for a request.
    @discardableResult
    mutating func write(
        _ verdict: Verdict, of admission: Admission, format: ResponseFormat, wall: Timestamp, to out: inout ByteBuffer
    ) -> Written {
        // Made once: a flood meets it.
        if case .unauthorized = verdict {
            return deny(.tokenRefused, format: format, wall: wall, to: &out)
        }
        switch admission.outcome(of: verdict) {
        case .admitted(let account, let rateLimit):
            return allow(account, scope: admission.scope, rateLimit: rateLimit, format: format, wall: wall, to: &out)
        case .refused(let refusal):
            var denial = Denial(refusal.error.code, message: refusal.error.message)
            denial.retryAfter = refusal.error.retryAfter
            var written = deny(denial, rateLimit: refusal.rateLimit, format: format, wall: wall, to: &out)
            written.isRefused = true
            return written
        }
    }

    /// Writes a 200 with who the client is.
    private mutating func allow(
        _ account: CachedAccount, scope: AccessScope, rateLimit: RateLimitStatus, format: ResponseFormat,
        wall: Timestamp,
        to out: inout ByteBuffer
    ) -> Written {
        if let workspace = account.access(to: scope) {
            let room = GateIdentity.room(account.account, at: workspace, plan: workspace.plan)
            return allow(identityRoom: room, rateLimit: rateLimit, format: format, wall: wall, to: &out) { writer in
                GateIdentity.write(account.account, at: workspace, plan: workspace.plan, to: &writer)
            }
        } else {
            return ResponseFragments.withIdentity(account) { identity in
                allow(identityRoom: identity.count, rateLimit: rateLimit, format: format, wall: wall, to: &out) {
                    writer in
                    writer.bytes(identity)
                }
            }
        }
    }

    private mutating func allow(
        identityRoom: Int, rateLimit: RateLimitStatus, format: ResponseFormat, wall: Timestamp,
        to out: inout ByteBuffer,
        writeIdentity: (inout ByteWriter) -> Void
    ) -> Written {
        update(wall)
        let request = RequestIdentifier.nextNumber()
        write(atMost: 768 + identityRoom, to: &out) { writer in
            writer.text("HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: 11\r\n")
            writeIdentity(&writer)
            writer.text("X-Request-Id: ")
            Self.writeIdentifier(request, to: &writer)
            writer.text("\r\n")
            if let trace = format.trace { Self.write(trace, to: &writer) }
            Self.writeRateLimit(rateLimit, wall: wall, to: &writer)
            writeEnd(format, to: &writer)
            if !format.isHead { writer.text(Self.allowBody) }
        }
        return Written(request: request, status: 200)
    }

    /// Writes a denial.
    ///
    /// - Parameter rateLimit: how the account stands, where there is one.
    @discardableResult
    mutating func deny(
        _ denial: Denial, rateLimit: RateLimitStatus? = nil, format: ResponseFormat, wall: Timestamp,
        to out: inout ByteBuffer
    ) -> Written {
        update(wall)
        let code = denial.code
        let request = RequestIdentifier.nextNumber()
        let length = denial.body.count + RequestIdentifier.length(of: request) + Envelope.failureEnd.utf8.count
        let contractStatus = code.status
        let isOurFault = contractStatus.code >= 500
        let status = format.mode == .plain || contractStatus.code == 401 || isOurFault ? contractStatus : .forbidden
        write(atMost: 1_024 + length, to: &out) { writer in
            writer.text("HTTP/1.1 ")
            writer.number(Int64(status.code))
            writer.text(" ")
            writer.text(status.reasonPhrase)
            writer.text("\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: ")
            writer.number(Int64(length))
            writer.text("\r\nX-Content-Type-Options: nosniff\r\nX-Keybearer-Reason: ")
            writer.text(code.rawValue)
            writer.text("\r\n")
            if let challenge = denial.challenge {
                writer.text("WWW-Authenticate: ")
                writer.text(challenges.key(challenge))
                writer.text("\r\n")
            }
            if let wait = denial.retryAfter {
                writer.text("Retry-After: ")
                writer.number(Int64(wait.secondsRoundedUp))
                writer.text("\r\n")
            }
            if let rateLimit {
                let seconds = Self.writeRateLimit(rateLimit, wall: wall, to: &writer)
                if code == .rateLimited {
                    writer.text("Retry-After: ")
                    writer.number(seconds)
                    writer.text("\r\n")
                }
            }
            writer.text("X-Request-Id: ")
            Self.writeIdentifier(request, to: &writer)
            writer.text("\r\n")
            writeEnd(format, to: &writer)
            guard !format.isHead else { return }
            writer.bytes(denial.body)
            Self.writeIdentifier(request, to: &writer)
            writer.text(Envelope.failureEnd)
        }
        return Written(request: request, status: status.code, isOurFault: isOurFault)
    }

    private func write(atMost room: Int, to out: inout ByteBuffer, _ body: (inout ByteWriter) -> Void) {
        out.writeWithUnsafeMutableBytes(minimumWritableBytes: room) { memory in
            var writer = ByteWriter(memory)
            body(&writer)
            // The room is reckoned from what is written; an answer cut short must never be sent all the same.
            precondition(!writer.isOverflown, "an answer is longer than its reckoning")
            return writer.count
        }
    }

    private func writeEnd(_ format: ResponseFormat, to writer: inout ByteWriter) {
        writer.text("Cache-Control: no-store\r\nDate: ")
        writer.bytes(date.text)
        if format.closes { writer.text("\r\nConnection: close") }
        writer.text("\r\n\r\n")
    }

    /// The field of the trace, with this server as its latest part: the gateway may pass it on.
    @inline(never)
    private static func write(_ trace: TraceContext, to writer: inout ByteWriter) {
        writer.text("traceparent: ")
        writer.text(trace.fieldValue)
        writer.text("\r\n")
    }

    private static func writeIdentifier(_ number: UInt64, to writer: inout ByteWriter) {
        writer.text(RequestIdentifier.prefix)
        writer.hexadecimal(number)
    }

    /// Writes the five fields of the hour and answers the seconds until requests come back.
    @discardableResult
    private static func writeRateLimit(_ rateLimit: RateLimitStatus, wall: Timestamp, to writer: inout ByteWriter)
        -> Int64
    {
        let seconds = rateLimit.secondsUntilReset(from: wall)
        writer.text("RateLimit-Policy: \"hourly\";q=")
        writer.number(Int64(rateLimit.limit))
        writer.text(";w=3600\r\nRateLimit: \"hourly\";r=")
        writer.number(Int64(rateLimit.remaining))
        writer.text(";t=")
        writer.number(seconds)
        writer.text("\r\nX-RateLimit-Limit: ")
        writer.number(Int64(rateLimit.limit))
        writer.text("\r\nX-RateLimit-Remaining: ")
        writer.number(Int64(rateLimit.remaining))
        writer.text("\r\nX-RateLimit-Reset: ")
        writer.number(rateLimit.resetSecond)
        writer.text("\r\n")
        return seconds
    }

    /// Makes the text of `Date` once a second.
    private mutating func update(_ wall: Timestamp) {
        let second = wall.millisecondsSinceEpoch / 1_000
        if date.second != second { date = (second, Array(wall.httpDate.utf8)) }
    }
}
