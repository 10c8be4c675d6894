public import CoreMetrics
public import Logging
import Synchronization

/// Everything of the domain, put together over one store: what a server or a command works with.
public final class Services: Sendable {
    /// Accounts: making, finding, disabling, deleting.
    public let accounts: AccountService
    /// What begins with a password: sign-in, sign-up, confirming, changing it.
    public let signIn: SignInService
    /// Two-step sign-in.
    public let secondFactors: SecondFactorService
    /// Secret Keys: reveal, regenerate, metadata.
    public let keys: KeyService
    /// Workspaces, members and plans.
    public let workspaces: WorkspaceService
    /// Bringing people into workspaces.
    public let invitations: InvitationService
    /// Members that are no people.
    public let serviceAccounts: ServiceAccountService
    /// Signed-in browsers.
    public let sessions: SessionService
    /// Sign-in with a provider; nil where none is configured.
    package let identities: IdentityService?
    /// The identities of accounts, for their holders.
    package let connectedIdentities: ConnectedIdentityService
    /// Credentials of operators' programs.
    public let operatorTokens: OperatorTokenService
    /// What operators' programs write.
    public let writes: WriteService
    /// Signing users in by links.
    public let portalLinks: PortalLinkService
    /// Lists and look-ups of operators' programs.
    public let directory: DirectoryService
    /// What requests came to.
    public let usage: UsageService
    /// Where messages about events go.
    package let webhooks: WebhookService
    /// What the product tells its users' workspaces.
    package let events: EventService
    /// The outbox.
    public let mails: MailService
    /// Addresses: verified and changed by mail.
    package let emails: EmailService
    /// Passwords that somebody forgot.
    package let passwordResets: PasswordResetService
    /// Rotation of master keys.
    public let masterKeys: MasterKeyService
    /// The audit log for people.
    public let activity: ActivityService
    /// The audit log: its head, and whether it is whole.
    public let audit: AuditService
    /// Whether the master keys at hand are those of the database.
    public let ring: RingService
    /// The decision on every request; only a server has one.
    public let node: Node?

    /// Settings of the domain.
    public struct Settings: Sendable {
        /// The prefix of new keys.
        public var keyPrefix = KeyPrefix.standard
        /// Exponent of scrypt's N.
        public var passwordCost = PasswordHasher.productionCost
        /// How long memory is trusted after the store was last asked.
        public var lease: Duration = .seconds(2)
        /// What people know this process by in the list of nodes.
        public var nodeLabel = ""
        /// The most accounts that memory keeps.
        public var rememberedAccounts = 1_000_000
        /// How long counts of requests are kept.
        public var usageRetention: Duration = .seconds(760 * 86_400)
        /// Whether anyone may make an account.
        public var isSignUpOpen = true
        /// Where portal links may lead back.
        public var portalReturnURLs: [AllowedReturnURL] = []
        /// The provider with which people can sign in; nil for none.
        public var identities: IdentitySettings?
        /// How long audit events are kept; nil keeps them for ever.
        public var auditRetention: Duration?
        /// How long messages to webhooks are kept with what became of them.
        public var webhookRetention: Duration = DeliveryRules.usualRetention
        /// Whether people are told by mail. The nodes need a way to send them too.
        package var isMailOn = false
        /// Who keeps what is measured; nil for the one that the process has set up for all its libraries.
        public var metrics: (any MetricsFactory)?
        /// How long requests wait for the store.
        var patience = Verifier.Patience()
        /// Whether an Owner switches the plan immediately, without billing. On in a demonstration only.
        public var isPlanSwitchOpen = false

        /// The defaults above.
        public init() {}
    }

    /// What a process is: it decides what it has to keep.
    public enum Role: Sendable {
        /// Answers requests: remembers accounts under a lease.
        case server
        /// Makes changes and ends: remembers nothing.
        case command
    }

    /// Puts the domain together.
    ///
    /// - Parameter loadRing: reads the ring of master keys again; called when another process says that it changed.
    public convenience init(
        store: OpenedStore, ring: MasterKeyRing, loadRing: @escaping @Sendable () throws -> MasterKeyRing,
        settings: Settings, role: Role, clocks: Clocks = .system, random: RandomSource = .system, logger: Logger
    ) {
        self.init(
            store: store.store, ring: ring, loadRing: loadRing, settings: settings, role: role, clocks: clocks,
            random: random, logger: logger)
    }

    /// Puts the domain together over any store.
    ///
    /// - Parameters:
    ///   - identityProvider: the client of the provider that the settings name; nil offers no sign-in with it.
    ///   - mail: how mails are made and sent; nil leaves them in the outbox.
    ///   - transport: delivers messages to webhooks; nil leaves them in the queue.
    package init(
        store: any Store, ring: MasterKeyRing, loadRing: @escaping @Sendable () throws -> MasterKeyRing,
        settings: Settings, role: Role, identityProvider: (any IdentityProvider)? = nil, mail: MailDelivery? = nil,
        webhooks transport: (any WebhookTransport)? = nil, clocks: Clocks = .system, random: RandomSource = .system,
        logger: Logger
    ) {
        let failures = FailedSignIns(store: store)
        let context = ServiceContext(
            store: store, vault: CurrentVault(KeyVault(ring: ring)), settings: settings, clocks: clocks, random: random,
            metrics: .of(role, settings))
        var propagation: any ChangePropagation = CommandPropagation(
            store: store, clocks: clocks, longestLease: settings.lease)
        let dispatcher = WebhookDispatcher(context: context, transport: transport, logger: logger)
        let hasher = PasswordHasher(cost: settings.passwordCost, random: random, metrics: context.metrics)
        switch role {
        case .command: node = nil
        case .server:
            let node = Node(
                context: context, failedSignIns: failures,
                mails: MailDispatcher(context: context, delivery: mail, logger: logger), webhooks: dispatcher,
                hasher: hasher, loadRing: loadRing, logger: logger)
            self.node = node
            propagation = node.fence
        }
        keys = KeyService(context: context, propagation: propagation, node: node)
        sessions = SessionService(context: context, node: node)
        accounts = AccountService(context: context, propagation: propagation, hasher: hasher)
        let throttle = SignInThrottle(clocks: clocks)
        secondFactors = SecondFactorService(context: context, throttle: throttle)
        signIn = SignInService(
            context: context, accounts: accounts, sessions: sessions, secondFactors: secondFactors, hasher: hasher,
            throttle: throttle, failures: failures, node: node)
        if let wanted = settings.identities, let identityProvider {
            identities = IdentityService(
                context: context, settings: wanted, provider: identityProvider, accounts: accounts, sessions: sessions,
                throttle: throttle, node: node)
        } else {
            identities = nil
        }
        connectedIdentities = ConnectedIdentityService(context: context, settings: settings.identities)
        mails = MailService(context: context)
        webhooks = WebhookService(context: context, targets: transport) { dispatcher.wake() }
        events = EventService(context: context) { dispatcher.wake() }
        emails = EmailService(context: context, propagation: propagation, node: node)
        passwordResets = PasswordResetService(
            context: context, hasher: hasher, keys: keys, secondFactors: secondFactors, throttle: throttle,
            propagation: propagation, node: node)
        workspaces = WorkspaceService(context: context, propagation: propagation)
        invitations = InvitationService(context: context, propagation: propagation, node: node)
        operatorTokens = OperatorTokenService(context: context, node: node)
        writes = WriteService(context: context, accounts: accounts, keys: keys, propagation: propagation)
        serviceAccounts = ServiceAccountService(context: context, writes: writes, propagation: propagation)
        portalLinks = PortalLinkService(context: context, writes: writes, sessions: sessions, node: node)
        directory = DirectoryService(context: context, node: node)
        usage = UsageService(context: context)
        activity = ActivityService(context: context)
        audit = AuditService(context: context)
        masterKeys = MasterKeyService(context: context, propagation: propagation, node: node)
        self.ring = RingService(context: context, logger: logger)
    }
}

extension NodeMetrics {
    /// A server's, kept by whom the settings name; a command measures nothing.
    fileprivate static func of(_ role: Services.Role, _ settings: Services.Settings) -> NodeMetrics {
        role == .server ? NodeMetrics(factory: settings.metrics ?? MetricsSystem.factory) : .off
    }
}

/// Whether the database is known to have master keys: one that has them never is new again.
private final class ClaimMemory: Sendable {
    let isMade = Atomic<Bool>(false)
}

/// What every service needs.
struct ServiceContext: Sendable {
    let store: any Store
    let vault: CurrentVault
    let settings: Services.Settings
    let clocks: Clocks
    let random: RandomSource
    let metrics: NodeMetrics
    private let claim = ClaimMemory()

    init(
        store: any Store, vault: CurrentVault, settings: Services.Settings, clocks: Clocks, random: RandomSource,
        metrics: NodeMetrics = .off
    ) {
        self.metrics = metrics
        self.store = store
        self.vault = vault
        self.settings = settings
        self.clocks = clocks
        self.random = random
    }

    /// Where the store is asked for what comes back immediately.
    var thread: any TaskExecutor { store.executor }

    /// Notes the ring at hand as the database's own, where that has none yet: what makes the first account or token
    /// must not leave a database that does not know its master keys.
    func claimNewDatabase() async throws {
        guard !claim.isMade.load(ordering: .relaxed), let active = vault.current.activeRecord else { return }
        if try await !store.masterKeys().contains(where: \.isInUse) {
            _ = try await store.claimMasterKeys([active])
        }
        claim.isMade.store(true, ordering: .relaxed)
    }

    /// Where a presented token comes from, told from memory.
    ///
    /// - Parameter node: the gate of this process; nil in a command, which read its ring a moment ago.
    func origin(of characters: String, kind: TokenKind, at node: Node?) -> TokenOrigin {
        // The lease first: behind it the ring is at least as new, so a tag that it does not recognise is none of ours.
        let knowsAllMasterKeys = node?.knowsAllMasterKeys ?? true
        if vault.current.tagKey(of: characters, kind: kind) != nil { return .genuine }
        return knowsAllMasterKeys ? .forged : .unknown
    }

    func event(
        _ action: AuditEvent.Action, by authority: Authority, user: UserID? = nil, workspace: WorkspaceID? = nil,
        detail: String? = nil
    ) -> AuditEvent {
        AuditEvent(
            id: .random(from: random), at: clocks.wall(), actor: authority.actor, action: action, userID: user,
            workspaceID: workspace, address: authority.address, detail: detail, origin: RequestOrigin.current,
            isMailed: settings.isMailOn, device: settings.isMailOn ? KnownDevice.current : nil)
    }
}
