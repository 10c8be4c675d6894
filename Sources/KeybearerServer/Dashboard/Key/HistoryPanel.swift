import Keybearer

/// From where the key was used, what was refused, and who still tries a key that ended.
struct HistoryPanel: Sendable, Equatable {
    /// An address from which a key was used.
    struct SourceRow: Sendable, Equatable {
        let address: String
        let userAgent: String
        let firstSeenAt: PageTime
        let lastSeenAt: PageTime
    }

    /// A request that was refused.
    struct RefusalRow: Sendable, Equatable {
        let at: PageTime
        let reason: String
        let address: String
        let requestID: String
    }

    /// What to do about a reason that is among the refusals.
    struct Advice: Sendable, Equatable {
        let reason: String
        let text: String
    }

    /// Attempts with a key that ended.
    struct AttemptsRow: Sendable, Equatable {
        let count: String
        let endedAt: PageTime
        let lastAt: PageTime
        let address: String
    }

    let sources: [SourceRow]
    let previous: [SourceRow]
    let refusals: [RefusalRow]
    let advice: [Advice]
    let attempts: [AttemptsRow]
    let hasSources: Bool
    let hasPrevious: Bool
    let hasRefusals: Bool
    let hasAttempts: Bool

    /// - Parameter lastUse: the latest that is known: a source's own time is exact to a minute.
    init(_ history: KeyHistory, lastUse: LastUse?) {
        sources = history.sources.map { SourceRow($0, lastUse: lastUse) }
        previous = history.previousSources.map { SourceRow($0, lastUse: nil) }
        refusals = history.refusals.map { RefusalRow($0) }
        let reasons = Set(history.refusals.map(\.reason))
        advice = UsageOutcome.refusals.filter(reasons.contains).map {
            Advice(reason: Self.words($0), text: Self.whatToDo($0))
        }
        attempts = history.attempts.map { AttemptsRow($0) }
        (hasSources, hasPrevious) = (!sources.isEmpty, !previous.isEmpty)
        (hasRefusals, hasAttempts) = (!refusals.isEmpty, !attempts.isEmpty)
    }

    static func words(_ reason: UsageOutcome) -> String {
        switch reason {
        case .admitted: "Admitted"
        case .featureLocked: "Not in the plan"
        case .notAMember: "Another workspace"
        case .rateLimited: "Rate limit"
        case .addressNotAllowed: "Address"
        }
    }

    private static func whatToDo(_ reason: UsageOutcome) -> String {
        switch reason {
        case .admitted: ""
        case .featureLocked:
            "The plan of the workspace that the request names does not include the API. A workspace Owner can upgrade it."
        case .notAMember: "You are no member of the workspace that the request names. Check the id in X-Workspace-Id."
        case .rateLimited:
            "Wait for the seconds in Retry-After, spread the requests, or move to a plan with a higher limit."
        case .addressNotAllowed:
            "If the address is one of yours, add it to the allowed networks. If not, somebody else has the key: regenerate it."
        }
    }

    /// An address as a person reads it.
    static func words(_ address: IPAddress) -> String {
        address == .unknown ? "unknown" : address.displayName
    }
}

extension HistoryPanel.SourceRow {
    fileprivate init(_ source: KeySource, lastUse: LastUse?) {
        address = HistoryPanel.words(source.address)
        userAgent = source.userAgent.isEmpty ? "—" : source.userAgent
        firstSeenAt = PageTime(source.firstSeenAt)
        let isLatest = lastUse?.address == source.address
        lastSeenAt = PageTime(isLatest ? max(source.lastSeenAt, lastUse?.at ?? source.lastSeenAt) : source.lastSeenAt)
    }
}

extension HistoryPanel.RefusalRow {
    fileprivate init(_ refusal: KeyRefusal) {
        (at, reason) = (PageTime(refusal.at), HistoryPanel.words(refusal.reason))
        (address, requestID) = (HistoryPanel.words(refusal.address), refusal.requestID)
    }
}

extension HistoryPanel.AttemptsRow {
    fileprivate init(_ attempts: EndedKeyAttempts) {
        count = attempts.count == 1 ? "1 request" : "\(QuotaMeter.grouped(attempts.count)) requests"
        (endedAt, lastAt) = (PageTime(attempts.endedAt), PageTime(attempts.lastAt))
        address = HistoryPanel.words(attempts.address)
    }
}
