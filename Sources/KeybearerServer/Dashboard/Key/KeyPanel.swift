import Keybearer

/// The account's key as the tab "API Key" shows it: hidden, unless ``revealedKey`` is given.
struct KeyPanel: Sendable {
    /// The key's leading characters, enough to tell keys apart.
    let prefix: String
    /// Its version: a form whose key was replaced since replaces no other one.
    let version: Int
    /// When the current key was made.
    let generatedAt: PageTime
    /// The most recent successful request; nil for "Never used".
    let lastUse: LastUseRow?
    /// What is left of the rate limit; nil where it could not be read.
    let quota: QuotaMeter?
    /// The key itself, in the answer to the form that reveals it and nowhere else.
    let revealedKey: RevealedKey?
    /// A new random value per page: a form sent twice regenerates once.
    let idempotencyKey: String
    /// Calls of this server, with a placeholder for the key.
    let examples: [Example]
    /// From where it may be used.
    let networks: NetworksPanel
    /// From where it was used; nil where that could not be read.
    let history: HistoryPanel?
    /// What came of the request that the page made; nil before it did.
    let trial: TrialPanel?

    /// Puts the panel together.
    init(
        prefix: String, version: Int, generatedAt: Timestamp, lastUse: LastUseRow?, quota: QuotaMeter?,
        revealedKey: RevealedKey? = nil, idempotencyKey: String, examples: [Example],
        networks: NetworksPanel = NetworksPanel(nil), history: HistoryPanel? = nil, trial: TrialPanel? = nil
    ) {
        self.prefix = prefix
        self.version = version
        self.generatedAt = PageTime(generatedAt)
        self.lastUse = lastUse
        self.quota = quota
        self.revealedKey = revealedKey
        self.idempotencyKey = idempotencyKey
        self.examples = examples
        self.networks = networks
        self.history = history
        self.trial = trial
    }
}

/// The most recent successful request with a key.
struct LastUseRow: Sendable, Equatable {
    /// When it was.
    let at: PageTime
    /// Where it came from, such as `192.168.1.1`.
    let address: String
    /// What the client said it is; nil where it said nothing.
    let client: String?

    /// Puts a use together.
    init(at timestamp: Timestamp, address: String, client: String? = nil) {
        at = PageTime(timestamp)
        self.address = address
        self.client = client
    }
}
