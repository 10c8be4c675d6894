/// How long a connection may stay as it is: a pure state machine, told what happens and how time passes.
///
/// Time comes in ticks, so a connection that answers reads no clock for this. A limit is kept to one tick.
struct ConnectionLife {
    /// The limits of the stages.
    struct Limits: Sendable, Hashable {
        /// From the accept to the end of the TLS handshake.
        var handshake: Duration = .seconds(10)
        /// From the first byte of a head to its last.
        var head: Duration = .seconds(10)
        /// From the end of a head until its answer is handed to the connection, or from the answer before.
        var request: Duration = .seconds(60)
        /// Without a request.
        var idle: Duration = .seconds(60)
        /// From the last byte of the last answer to the end: what the client sends meanwhile is thrown away.
        var linger: Duration = .seconds(1)
        /// How long a stop still reads the bodies of requests whose heads have arrived.
        var readingAtStop: Duration = .seconds(2)

        /// How often time is told: often enough that the shortest limit is kept to a quarter.
        var tick: Duration {
            let shortest = [handshake, head, request, idle, linger, readingAtStop].min() ?? .seconds(1)
            return max(.milliseconds(10), min(.milliseconds(500), shortest / 4))
        }
    }

    enum Stage: Sendable, Hashable {
        /// TLS is being negotiated.
        case handshake
        /// No request is being read or answered.
        case idle
        /// A part of a request's head has come.
        case head
        /// Requests are being read or answered.
        case busy
        /// The last answer is being written.
        case closing
        /// The last answer was written: the client may close its half.
        case lingering
    }

    /// What the connection's owner does.
    enum Action: Sendable, Hashable {
        case none
        /// Ends in good order.
        case close
        /// Ends without another byte.
        case abort
    }

    /// Between the news of a stop and the end of an idle HTTP/2 connection: a request may have been sent before it was
    /// heard.
    private static let goAwayDelay: Duration = .milliseconds(500)

    private let limits: Limits
    private(set) var stage: Stage
    /// Time in this stage; while busy, since the last answer.
    private var elapsed: Duration = .zero
    /// Requests whose head was read and whose answer is not complete.
    private(set) var requests = 0
    /// Those of them whose end was not read.
    private(set) var unread = 0
    /// Whether a whole head has come on it.
    private var hasServed = false
    /// Since the server stops; nil while it does not.
    private var stopping: Duration?
    /// Since a part of an HTTP/2 frame came, or the handshake ended without one; nil when none is awaited.
    private var part: Duration?
    /// Whether it carries HTTP/2: its end is announced before it comes.
    private var isHTTP2 = false

    init(limits: Limits, isEncrypted: Bool) {
        self.limits = limits
        stage = isEncrypted ? .handshake : .idle
    }

    mutating func finishedHandshake() {
        if stage == .handshake { enter(.idle) }
    }

    /// HTTP/2 was negotiated: its first frame is awaited.
    mutating func beganHTTP2() {
        isHTTP2 = true
        part = .zero
    }

    /// An HTTP/2 frame came whole.
    mutating func readFrame() { part = nil }

    /// Bytes came that are no whole HTTP/2 frame. With a stream open, they may be a slow body's.
    mutating func readPartOfFrame() {
        if stage == .idle { part = part ?? .zero }
    }

    /// Bytes came that are no complete head.
    mutating func readPartOfHead() {
        if stage == .idle { enter(.head) }
    }

    /// A head was read to its end.
    ///
    /// - Returns: whether it is the connection's first.
    @discardableResult
    mutating func beganRequest() -> Bool {
        defer { hasServed = true }
        requests += 1
        unread += 1
        if stage != .busy, !isEnding { enter(.busy) }
        return !hasServed
    }

    /// The end of the newest request was read.
    mutating func readRequest() { unread = max(0, unread - 1) }

    /// A request was answered to the end.
    ///
    /// - Parameter wasRead: whether its own end was read.
    mutating func requestWithResponse(wasRead: Bool = true) -> Action {
        requests = max(0, requests - 1)
        if !wasRead { unread = max(0, unread - 1) }
        guard stage == .busy else { return .none }
        elapsed = .zero
        guard requests == 0 else { return .none }
        enter(.idle)
        return stopping == nil || isHTTP2 ? .none : .close
    }

    /// Whole requests were read and answered, all at the same time.
    ///
    /// - Parameter hasPart: whether a part of another head is behind them.
    /// - Returns: whether they are the connection's first.
    @discardableResult
    mutating func respondedImmediately(hasPart: Bool) -> Bool {
        defer { hasServed = true }
        if stage == .idle || stage == .head { enter(hasPart ? .head : .idle) }
        return !hasServed
    }

    /// The server stops.
    mutating func stop() -> Action {
        guard stopping == nil else { return .none }
        stopping = .zero
        switch stage {
        case .handshake, .head: return .abort
        // An HTTP/2 client has been told by now, and may have sent a request before it heard.
        case .idle: return isHTTP2 ? .none : .close
        case .busy, .closing, .lingering: return .none
        }
    }

    var isStopping: Bool { stopping != nil }

    /// The last answer is being written.
    mutating func beginClosing() {
        if stage != .closing, stage != .lingering { enter(.closing) }
    }

    /// The last answer was written, and our half is closed.
    mutating func beginLingering() {
        if stage != .lingering { enter(.lingering) }
    }

    private var isEnding: Bool { stage == .closing || stage == .lingering }

    /// Time has passed.
    mutating func passed(_ time: Duration) -> Action {
        elapsed += time
        if let span = stopping { stopping = span + time }
        if let span = part { part = span + time }
        switch stage {
        case .handshake: return elapsed >= limits.handshake ? .abort : .none
        case .head: return elapsed >= limits.head ? .close : .none
        case .idle:
            if let part, part >= limits.head { return .close }
            if let stopping, stopping >= Self.goAwayDelay { return .close }
            return elapsed >= limits.idle ? .close : .none
        case .closing: return elapsed >= limits.request ? .abort : .none
        case .lingering: return elapsed >= limits.linger ? .abort : .none
        case .busy:
            // What was read whole is answered; what is still being read is not waited for.
            if let stopping, stopping >= limits.readingAtStop, unread > 0, unread == requests { return .abort }
            return elapsed >= limits.request ? .abort : .none
        }
    }

    private mutating func enter(_ next: Stage) {
        stage = next
        elapsed = .zero
    }
}
