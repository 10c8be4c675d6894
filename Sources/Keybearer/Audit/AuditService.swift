/// The audit log for its operator: its head, whether it is whole, and a copy of it.
public final class AuditService: Sendable {
    /// What a verification found.
    public struct Report: Sendable {
        /// How many events were checked.
        public let count: Int
        /// Of how many what tells who somebody is was erased.
        public let erased: Int
        /// Behind which position the log begins: older events were removed because of their age.
        public let begin: Int64
        /// Whether the head that was given is of an event that was removed because of its age.
        public let isHeadTooOld: Bool
        /// What is wrong first; nil when the log is whole.
        public let fault: AuditFault?
    }

    private static let pageSize = 1_000

    private let context: ServiceContext
    /// Gives positions and seals.
    package let sealer: AuditSealer

    init(context: ServiceContext) {
        self.context = context
        sealer = AuditSealer(store: context.store, vault: context.vault, random: context.random)
    }

    /// The position and the seal of the last event; nil before the first.
    public func head() async throws -> AuditHead? {
        try await sealer.sealAll()
        let chain = try await context.store.auditChain()
        return chain.code.map { AuditHead(position: chain.position, code: $0) }
    }

    /// Notes with which settings a server starts: one event for each that differs from the last start of a server of this
    /// database.
    ///
    /// - Parameter settings: those that have another value than their default. Never a secret.
    public func noteStart(with settings: [String: String]) async throws {
        let context = context
        try await context.store.noteStart(with: settings) { name, change in
            context.event(.settingChanged, by: .itself, detail: name).with(change)
        }
    }

    /// How many events are sealed, erased, and without a position so far.
    package func counts() async throws -> (sealed: Int, erased: Int, waiting: Int) {
        try await context.store.auditCounts()
    }

    /// Checks the seals of all events that have one.
    ///
    /// - Parameters:
    ///   - head: the end of the log as it was noted before: tells whether it was cut off.
    ///   - newest: checks this many of the newest events alone; nil checks all.
    ///   - progress: told how many were checked.
    public func checkSeals(
        against head: AuditHead? = nil, newest: Int? = nil, progress: (Int) -> Void = { _ in }
    ) async throws -> Report {
        let chain = try await context.store.auditChain()
        let keys = context.vault.current.auditKeys(with: try await context.store.auditKeys())
        var start = chain.checkpoint.map { AuditHead(position: $0.position, code: $0.code) }
        if let newest, chain.position - Int64(newest) > start?.position ?? 0 {
            let before = try await context.store.auditRecords(after: chain.position - Int64(newest) - 1, limit: 1).first
            if let place = before?.position, let seal = before?.seal {
                start = AuditHead(position: place, code: seal.code)
            }
        }
        let verifier = AuditVerifier(keys: keys, behind: start, head: head)
        let (checked, fault) = try await check(verifier, chain, progress)
        // What was removed meanwhile, because of its age, is not missing: begin again behind it.
        if fault != nil, try await context.store.auditChain().checkpoint != chain.checkpoint {
            return try await checkSeals(against: head, newest: newest, progress: progress)
        }
        return Report(
            count: checked.count, erased: checked.erased, begin: start?.position ?? 0,
            isHeadTooOld: checked.isHeadTooOld, fault: fault)
    }

    private func check(
        _ verifier: AuditVerifier, _ chain: AuditChain, _ progress: (Int) -> Void
    ) async throws -> (AuditVerifier, AuditFault?) {
        var verifier = verifier
        do {
            if let checkpoint = chain.checkpoint { try verifier.check(checkpoint) }
            while verifier.nextPage < chain.position {
                let page = try await context.store.auditRecords(after: verifier.nextPage, limit: Self.pageSize)
                if page.isEmpty { break }
                try verifier.check(page)
                progress(verifier.count)
            }
            try verifier.finish(chain.position)
        } catch let fault as AuditFault {
            return (verifier, fault)
        }
        return (verifier, nil)
    }

    /// All events that have a position, in its order, a page at a time.
    ///
    /// - Parameter position: behind which it begins.
    package func export(after position: Int64, _ body: ([AuditEvent]) throws -> Void) async throws {
        var place = position
        while true {
            let page = try await context.store.auditEvents(after: place, of: nil, limit: Self.pageSize)
            guard let last = page.last?.position else { return }
            try body(page)
            place = last
        }
    }
}
