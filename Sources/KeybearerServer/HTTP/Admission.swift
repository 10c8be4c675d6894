import HTTPTypes
import Keybearer

/// What a request presents to be let in: its key, the workspace that it names, and who the client is.
///
/// Parsed once, by whoever has the request's bytes, and kept while the store is asked. API, gate, middleware and
/// introspection each make one and translate what comes of it; what may pass is decided nowhere else.
struct Admission: Sendable {
    /// The key, or why there is none.
    let credentials: BearerCredentials
    /// What the request wants to do; ``AccessScope/anyWorkspace`` where it does not say so in a way that can be read.
    let scope: AccessScope
    /// Who the client is, by the trusted-proxy rules.
    let client: IPAddress
    /// What is wrong with the request beyond its key: told only when the key passes.
    var problem: KeybearerError?
    /// Whether a token that is no key counts against the client: not where ``client`` is not who sent it.
    var isThrottled = true

    @inline(__always)
    init(_ credentials: BearerCredentials, scope: AccessScope, from client: IPAddress, problem: KeybearerError? = nil) {
        (self.credentials, self.scope, self.client, self.problem) = (credentials, scope, client, problem)
    }

    /// - Parameter scope: finds what the request wants to do. What it throws is the request's problem.
    @inline(__always)
    init(
        _ credentials: BearerCredentials, from client: IPAddress,
        to scope: () throws(KeybearerError) -> AccessScope
    ) {
        do {
            self.init(credentials, scope: try scope(), from: client)
        } catch {
            self.init(credentials, scope: .anyWorkspace, from: client, problem: error)
        }
    }

    /// Decides from memory, or answers ``Verdict/needsStore(_:)``, and then nothing was counted.
    ///
    /// - Parameters:
    ///   - now: a reading from after the request's last byte was read: see ``Verifier``.
    ///   - wall: the time of day.
    ///   - userAgent: what the client says it is; asked seldom.
    @inline(__always)
    func cachedVerdict(
        by verifier: Verifier, now: SteadyTime, wall: Timestamp, userAgent: () -> String
    ) -> Verdict {
        guard case .token(let token) = credentials else { return .unauthorized }
        return verifier.cachedVerdict(
            for: token, scope: scope, from: client, now: now, wall: wall, isThrottled: isThrottled,
            userAgent: userAgent)
    }

    /// Decides with the store's help.
    ///
    /// - Parameter need: what memory lacked.
    func verdictFromStore(by verifier: Verifier, for need: StoreNeed, userAgent: String) async -> Verdict {
        guard case .token(let token) = credentials else { return .unauthorized }
        return await verifier.verdictFromStore(
            for: token, scope: scope, from: client, need: need, userAgent: userAgent)
    }

    /// Decides from memory, and with the store's help where memory cannot tell. Call it after the request's last byte
    /// was read.
    func verdict(by verifier: Verifier, userAgent: () -> String = { "" }) async -> Verdict {
        guard case .token(let token) = credentials else { return .unauthorized }
        return await verifier.verdict(
            for: token, scope: scope, from: client, isThrottled: isThrottled, userAgent: userAgent)
    }

    /// Records a refusal of a live key, for its holder to see; nothing for any other verdict.
    @inline(never)
    func record(_ verdict: Verdict, by verifier: Verifier, at wall: Timestamp, requestID: String) {
        let (account, reason): (CachedAccount, UsageOutcome)
        switch verdict {
        case .featureLocked(let known, _): (account, reason) = (known, .featureLocked)
        case .notAMember(let known, _): (account, reason) = (known, .notAMember)
        case .rateLimited(let known, _): (account, reason) = (known, .rateLimited)
        case .addressNotAllowed(let known, _): (account, reason) = (known, .addressNotAllowed)
        case .admitted, .unauthorized, .throttled, .needsStore, .unavailable: return
        }
        verifier.record(
            KeyRefusal(at: wall, reason: reason, address: client, requestID: requestID), of: account)
    }

    /// What a verdict comes to for the request.
    enum Outcome {
        case admitted(CachedAccount, RateLimitStatus)
        case refused(Refusal)
    }

    /// - Returns: ``Outcome/admitted(_:_:)`` only where the key passed and nothing else is wrong.
    @inline(__always)
    func outcome(of verdict: Verdict) -> Outcome {
        guard case .admitted(let account, let rateLimit) = verdict else {
            return .refused(Refusal(verdict, of: credentials, from: client))
        }
        if let problem { return .refused(Refusal(problem, rateLimit: rateLimit)) }
        return .admitted(account, rateLimit)
    }
}

extension Admission {
    /// The message where an account has no part in the workspace that is named, or there is none.
    static let noSuchWorkspace = "There is no such workspace, or it is not yours."

    /// The workspace that a field names.
    ///
    /// - Parameters:
    ///   - text: the field's value; nil where the field is there more than once.
    ///   - field: the field, as the message calls it.
    static func workspace(named text: (some StringProtocol)?, in field: String = "X-Workspace-Id")
        throws(KeybearerError) -> WorkspaceID
    {
        guard let id = text.flatMap({ WorkspaceID(parsing: $0) }) else {
            throw KeybearerError(.badRequest, "\(field) must be one workspace id.")
        }
        return id
    }

    /// The workspace that `X-Workspace-Id` names; nil where it is absent.
    static func workspace(in headers: HTTPFields) throws(KeybearerError) -> WorkspaceID? {
        var named: WorkspaceID?
        for header in headers where header.name == HeaderName.workspaceID {
            named = try workspace(named: named == nil ? header.value : nil)
        }
        return named
    }

    /// What a request wants to do that may name a workspace by a field, by its path, or by neither. The path is more
    /// exact than the field; where both stand they must agree.
    static func scope(field: WorkspaceID?, path: (some StringProtocol)?) throws(KeybearerError) -> AccessScope {
        guard let path else { return field.map { .workspace($0) } ?? .anyWorkspace }
        guard let id = WorkspaceID(parsing: path) else { throw KeybearerError(.notFound, noSuchWorkspace) }
        if let field, field != id {
            throw KeybearerError(.badRequest, "X-Workspace-Id and the path name different workspaces.")
        }
        return .workspace(id)
    }
}

/// What a request says of itself in `Authorization`.
enum BearerCredentials {
    /// No bearer token was sent.
    case none
    /// Something was sent that can be no key: a second field, a list, other characters, another length.
    case malformed
    /// A token that may be a key.
    case token(PresentedToken)

    /// Reads the one `Authorization` field: `Bearer` in any case, one or more spaces, the token, nothing more.
    ///
    /// Repeated fields are looked at as such. The HTTP types would join them with a comma, and two keys in
    /// one request must never be a way to have either of them accepted.
    init(_ headers: HTTPFields) {
        var value: String?
        for header in headers where header.name == .authorization {
            guard value == nil else {
                self = .malformed
                return
            }
            value = header.value
        }
        guard var value else {
            self = .none
            return
        }
        self = value.withUTF8 { BearerCredentials(value: UnsafeRawBufferPointer($0)) }
    }

    /// Reads the value of the one field. Allocates nothing.
    init(value bytes: UnsafeRawBufferPointer) {
        let scheme = StaticString("bearer")
        guard bytes.count > 6, (0..<6).allSatisfy({ bytes[$0] | 0x20 == scheme.utf8Start[$0] }) else {
            self = .none
            return
        }
        var start = 6
        while start < bytes.count, bytes[start] == UInt8(ascii: " ") { start += 1 }
        let token = bytes[start...].withMemoryRebound(to: UInt8.self) {
            PresentedToken(UnsafeBufferPointer(rebasing: $0[...]))
        }
        self = start > 6 ? token.map { .token($0) } ?? .malformed : .malformed
    }

    /// The challenge of a 401: it says that a token was wrong only where one was sent.
    var challenge: Challenge {
        switch self {
        case .none: .missing
        case .malformed, .token: .refused
        }
    }
}
