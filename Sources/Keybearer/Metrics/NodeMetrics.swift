package import CoreMetrics
import Synchronization

/// What a node's domain measures, each under its own name.
///
/// Counters and histograms are written where the thing happens. Gauges are read when ``observe(_:)`` is called.
package final class NodeMetrics: Sendable {
    /// Whether anybody looks at it.
    package let isOn: Bool
    /// Who keeps the values.
    package let factory: any MetricsFactory

    private let cold: [Counter]
    private let changesApplied, leaseLosses: Counter
    private let changeWait: Timer
    private let storeDuration: [StoreWork.Kind: Timer]
    private let storeWait: Timer
    private let storeFailures: [String: Counter]
    private let hashesRefused: Counter
    private let hashDuration: Timer
    private let mails: [String: Counter]
    private let attempts: [String: Counter]
    private let attemptDuration: Timer
    private let gauges: Gauges

    /// Measures nothing.
    package static let off = NodeMetrics(factory: NOOPMetricsHandler.instance)

    /// - Parameter factory: who keeps the values.
    package init(factory: any MetricsFactory) {
        self.factory = factory
        isOn = !(factory is NOOPMetricsHandler)
        cold = StoreNeed.all.map { Self.coldRequests.counter($0.label, in: factory) }
        changesApplied = Self.changes.counter(in: factory)
        leaseLosses = Self.losses.counter(in: factory)
        changeWait = Self.waits.timer(in: factory)
        storeDuration = Dictionary(
            uniqueKeysWithValues: StoreWork.Kind.allCases.map {
                ($0, Self.storeSeconds.timer($0.rawValue, in: factory))
            })
        storeWait = Self.storeWaits.timer(in: factory)
        storeFailures = Self.failures.counters(in: factory)
        hashesRefused = Self.refusedHashes.counter(in: factory)
        hashDuration = Self.hashSeconds.timer(in: factory)
        mails = Self.mailAttempts.counters(in: factory)
        attempts = Self.webhookAttempts.counters(in: factory)
        attemptDuration = Self.webhookSeconds.timer(in: factory)
        gauges = Gauges(factory)
    }

    /// A request had to ask the store.
    func recordCold(_ need: StoreNeed) { cold[need.index].increment() }

    /// Changes were applied here.
    func recordChanges(_ count: Int) { if count > 0 { changesApplied.increment(by: count) } }

    /// The lease was lost.
    func recordLeaseLoss() { leaseLosses.increment() }

    /// A change of this node holds everywhere now.
    func recordChangeWait(_ span: Duration) { changeWait.record(span) }

    /// What the store did.
    func record(_ work: StoreWork) {
        storeDuration[work.kind]?.record(work.duration)
        if work.wait > .zero { storeWait.record(work.wait) }
        if let failure = work.failure { storeFailures[failure.rawValue]?.increment() }
    }

    /// A password was hashed; nil where too many waited.
    func recordHash(_ duration: Duration?) {
        if let duration { hashDuration.record(duration) } else { hashesRefused.increment() }
    }

    /// A mail was tried.
    func recordMail(_ outcome: MailTry) { mails[outcome.rawValue]?.increment() }

    /// A delivery to a webhook was tried.
    func record(_ reply: WebhookReply, after duration: Duration) {
        attempts[WebhookTry(reply).rawValue]?.increment()
        attemptDuration.record(duration)
    }

    /// Takes in how things stand now.
    func observe(_ state: NodeState) { gauges.observe(state) }

    /// Takes in what waits in the database.
    func observe(_ backlog: StoreBacklog) { gauges.observe(backlog) }
}

/// The definitions of everything in ``NodeMetrics``.
extension NodeMetrics {
    static let coldRequests = MetricDefinition(
        "keybearer_cold_requests_total", .counter,
        "Requests that memory could not decide, by what it lacked: the account of the key, quota, or the lease.",
        labels: [.init("need", StoreNeed.all.map(\.label))])
    static let cachedAccounts = MetricDefinition(
        "keybearer_cached_accounts", .gauge, "Accounts in the key cache.")
    static let cacheCapacity = MetricDefinition(
        "keybearer_cached_accounts_limit", .gauge, "The most accounts that the key cache keeps.")

    static let leaseHeld = MetricDefinition(
        "keybearer_lease_held", .gauge, "1 while this node may trust its memory, 0 while it may not.")
    static let leaseLeft = MetricDefinition(
        "keybearer_lease_remaining_seconds", .gauge, "How long the lease lasts if it is not renewed.")
    static let losses = MetricDefinition(
        "keybearer_lease_losses_total", .counter, "How often the lease was lost and memory was emptied.")
    static let changes = MetricDefinition(
        "keybearer_changes_applied_total", .counter, "Changes of keys, accounts and plans that this node applied.")
    static let waits = MetricDefinition(
        "keybearer_change_wait_seconds", .histogram,
        "How long a change of this node waited until every node had applied it.")

    static let storeSeconds = MetricDefinition(
        "keybearer_store_seconds", .histogram, "How long reads and writes of the database took, waiting included.",
        labels: [.init("kind", StoreWork.Kind.allCases.map(\.rawValue))])
    static let storeWaits = MetricDefinition(
        "keybearer_store_wait_seconds", .histogram,
        "How long work for the database waited for a connection. PostgreSQL only.")
    static let failures = MetricDefinition(
        "keybearer_store_failures_total", .counter, "Failures of the database, by kind.",
        labels: [.init("kind", StoreFailure.Kind.allCases.map(\.rawValue))])
    static let storeConnections = MetricDefinition(
        "keybearer_store_connections", .gauge,
        "Connections to the database for requests: the most that there may be, and those at work. PostgreSQL only.",
        labels: [.init("state", ["most", "busy"])])
    static let storeWaiting = MetricDefinition(
        "keybearer_store_waiting", .gauge, "Work that waits for a connection to the database. PostgreSQL only.")

    static let hashSeconds = MetricDefinition(
        "keybearer_password_hash_seconds", .histogram, "How long checking or hashing a password took, waiting included."
    )
    static let refusedHashes = MetricDefinition(
        "keybearer_password_hashes_refused_total", .counter,
        "Passwords that were not looked at because too many waited.")
    static let hashesWaiting = MetricDefinition(
        "keybearer_password_hashes_waiting", .gauge, "Passwords that are hashed or wait for it; 64 is the most.")
    static let sessions = MetricDefinition(
        "keybearer_sessions", .gauge, "Signed-in browsers. At most \(StoreBacklog.mostCounted) are counted.")

    static let mailAttempts = MetricDefinition(
        "keybearer_mail_attempts_total", .counter, "Attempts to send a mail, by what became of it.",
        labels: [.init("outcome", MailTry.allCases.map(\.rawValue))])
    static let mailsWaiting = MetricDefinition(
        "keybearer_mails_waiting", .gauge,
        "Mails that are to be sent. At most \(StoreBacklog.mostCounted) are counted.")
    static let mailAge = MetricDefinition(
        "keybearer_mails_waiting_age_seconds", .gauge, "How old the first of them is.")

    static let webhookAttempts = MetricDefinition(
        "keybearer_webhook_attempts_total", .counter, "Attempts to deliver to a webhook, by what became of it.",
        labels: [.init("outcome", WebhookTry.allCases.map(\.rawValue))])
    static let webhookSeconds = MetricDefinition(
        "keybearer_webhook_attempt_seconds", .histogram, "How long attempts to deliver to a webhook took.")
    static let newMessages = MetricDefinition(
        "keybearer_webhook_messages_new", .gauge,
        "Messages that no webhook was looked for yet. At most \(StoreBacklog.mostCounted) are counted.")
    static let newMessageAge = MetricDefinition(
        "keybearer_webhook_messages_new_age_seconds", .gauge, "How old the first of them is.")
    static let deliveries = MetricDefinition(
        "keybearer_webhook_deliveries_waiting", .gauge,
        "Deliveries that wait, retries included, for webhooks that get messages now. At most "
            + "\(StoreBacklog.mostCounted) are counted.")
    static let deliveryAge = MetricDefinition(
        "keybearer_webhook_delivery_overdue_seconds", .gauge, "How long the first of them has been due.")

    /// All of them.
    package static let definitions: [MetricDefinition] = [
        coldRequests, cachedAccounts, cacheCapacity, leaseHeld, leaseLeft, losses, changes, waits, storeSeconds,
        storeWaits, failures, storeConnections, storeWaiting, hashSeconds, refusedHashes, hashesWaiting, sessions,
        mailAttempts, mailsWaiting, mailAge, webhookAttempts, webhookSeconds, newMessages, newMessageAge, deliveries,
        deliveryAge,
    ]
}

/// What became of trying a mail.
enum MailTry: String, CaseIterable {
    case sent, failed
    case givenUp = "given_up"
    case void

    init(_ outcome: OutgoingMail.Outcome) {
        switch outcome {
        case .sent: self = .sent
        case .void: self = .void
        case .givenUp: self = .givenUp
        }
    }
}

/// What became of trying a delivery.
enum WebhookTry: String, CaseIterable {
    /// The endpoint took it.
    case delivered
    /// It answered with another status.
    case refused
    /// It did not answer, or was not reached.
    case failed
    /// The fault was ours.
    case ours

    init(_ reply: WebhookReply) {
        if reply.isDelivered {
            self = .delivered
        } else if !reply.isTheirs {
            self = .ours
        } else {
            self = reply.status == nil ? .failed : .refused
        }
    }
}

/// How a node stands.
package struct NodeState: Sendable {
    let accounts, mostAccounts: Int
    /// What is left of the lease; zero without one.
    let leaseLeft: Duration
    let connections: StoreConnections?
    let hashesWaiting: Int
}

/// The values that go up and down.
private struct Gauges: Sendable {
    let accounts, mostAccounts, hasLease, leaseLeft, hashesWaiting: Meter
    let connections: (most: Meter, busy: Meter, waiting: Meter)
    let sessions, mails, mailAge, newMessages, newMessageAge, deliveries, deliveryAge: Meter

    init(_ factory: any MetricsFactory) {
        accounts = NodeMetrics.cachedAccounts.meter(in: factory)
        mostAccounts = NodeMetrics.cacheCapacity.meter(in: factory)
        hasLease = NodeMetrics.leaseHeld.meter(in: factory)
        leaseLeft = NodeMetrics.leaseLeft.meter(in: factory)
        hashesWaiting = NodeMetrics.hashesWaiting.meter(in: factory)
        connections = (
            NodeMetrics.storeConnections.meter("most", in: factory),
            NodeMetrics.storeConnections.meter("busy", in: factory), NodeMetrics.storeWaiting.meter(in: factory)
        )
        sessions = NodeMetrics.sessions.meter(in: factory)
        mails = NodeMetrics.mailsWaiting.meter(in: factory)
        mailAge = NodeMetrics.mailAge.meter(in: factory)
        newMessages = NodeMetrics.newMessages.meter(in: factory)
        newMessageAge = NodeMetrics.newMessageAge.meter(in: factory)
        deliveries = NodeMetrics.deliveries.meter(in: factory)
        deliveryAge = NodeMetrics.deliveryAge.meter(in: factory)
    }

    func observe(_ state: NodeState) {
        accounts.set(state.accounts)
        mostAccounts.set(state.mostAccounts)
        hasLease.set(state.leaseLeft > .zero ? 1 : 0)
        leaseLeft.set(state.leaseLeft.inSeconds)
        hashesWaiting.set(state.hashesWaiting)
        if let known = state.connections {
            connections.most.set(known.most)
            connections.busy.set(known.busy)
            connections.waiting.set(known.waiting)
        }
    }

    func observe(_ backlog: StoreBacklog) {
        sessions.set(backlog.sessions)
        mails.set(backlog.mails.count)
        mailAge.set(backlog.mails.age.inSeconds)
        newMessages.set(backlog.newMessages.count)
        newMessageAge.set(backlog.newMessages.age.inSeconds)
        deliveries.set(backlog.deliveries.count)
        deliveryAge.set(backlog.deliveries.age.inSeconds)
    }
}

extension StoreNeed {
    /// Every one, in the order of ``index``.
    static let all: [StoreNeed] = [.lease, .account, .quota]

    var index: Int {
        switch self {
        case .lease: 0
        case .account: 1
        case .quota: 2
        }
    }

    var label: String {
        switch self {
        case .lease: "lease"
        case .account: "account"
        case .quota: "quota"
        }
    }
}

extension Timer {
    /// Takes in a span.
    package func record(_ span: Duration) { recordNanoseconds(span.wholeNanoseconds) }
}

extension Duration {
    /// In seconds, for gauges.
    package var inSeconds: Double { Double(wholeNanoseconds) / 1e9 }
}
