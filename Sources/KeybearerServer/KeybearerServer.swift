import HTTPTypes
import Hummingbird
import HummingbirdCore
public import Keybearer
public import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import UnixSignals

/// The HTTP server: API and dashboard on one listener, over one ``Keybearer/Services``.
public struct KeybearerServer: Sendable {
    private let settings: Settings
    private let services: Services
    private let node: Node
    private let checkStore: @Sendable () async throws -> Void
    private let clocks: Clocks
    private let random: RandomSource
    private let logger: Logger
    /// What the bodies of all requests take together.
    let bodyMemory = BodyMemory()
    /// nil where none is wanted.
    var accessLog: AccessLog?

    /// Puts a server together.
    ///
    /// - Parameters:
    ///   - services: the domain, in the role of a server.
    ///   - checkStore: throws when the store cannot be read or written.
    /// - Throws: `INTERNAL_ERROR` when the services are not in the role of a server, or the public URL has a path of the
    ///   server's own.
    public init(
        settings: Settings, services: Services, checkStore: @escaping @Sendable () async throws -> Void,
        clocks: Clocks = .system, random: RandomSource = .system, logger: Logger
    ) throws {
        node = try services.requireNode()
        if let problem = settings.publicURL?.problemAsPlace {
            throw KeybearerError(.internalError, "The public URL cannot be used: \(problem).")
        }
        self.settings = settings
        self.services = services
        self.checkStore = checkStore
        self.clocks = clocks
        self.random = random
        self.logger = logger
        accessLog = AccessLog(settings.accessLog, logger: logger)
    }

    /// Serves until the process is told to stop (`SIGTERM`, `SIGINT`), then answers what it has begun and writes what
    /// it still holds. A second signal ends the process immediately.
    ///
    /// - Parameters:
    ///   - reloadsAtHangup: whether `SIGHUP` reloads the certificate and the master keys; if not, it is not handled.
    ///   - onReady: called once with the ports, when requests are answered.
    /// - Throws: when an address is taken, the certificate cannot be read, or a template is broken.
    public func run(
        reloadsAtHangup: Bool = true,
        onReady: @escaping @Sendable (_ ports: ListeningPorts) async -> Void
    ) async throws {
        let node = node
        EventLoopSlices.shorten(MultiThreadedEventLoopGroup.singleton, to: EventLoopSlices.server)
        let connections = try Connections(settings: settings, clocks: clocks, logger: logger)
        let certificates = try settings.tls.map {
            try CurrentCertificates(certificateFile: $0.certificateFile, keyFile: $0.keyFile)
        }
        let responder = try makeResponder()
        let listeners = Listeners(
            settings: settings, connections: connections, certificates: certificates, clocks: clocks, logger: logger,
            quietLogger: quietLogger)
        let gate = Listeners.Announced { makeGateListener(listeners, onReady: $0) }
        let operators = try Listeners.Announced { try makeOperatorListener(listeners, onReady: $0) }
        let metrics = try Listeners.Announced { try makeMetricsListener(listeners, onReady: $0) }
        let (logger, clocks) = (logger, clocks)
        var application = Application(
            responder: responder, server: listeners.server(.public, responder, isTLS: certificates != nil),
            configuration: ApplicationConfiguration(address: .hostname(settings.host, port: settings.port)),
            services: [NodeService(node: node)],
            onServerRunning: { channel in
                try? await channel.eventLoop.submit {
                    let shortage = FileShortage(listener: "public", clocks: clocks, logger: logger)
                    try channel.pipeline.syncOperations.addHandler(shortage, position: .first)
                }.get()
                // Without one of them that listener could not be opened, and the server ends.
                guard let ports = try? await (gate.port(), operators.port(), metrics.port()) else { return }
                await onReady(
                    ListeningPorts(
                        server: channel.localAddress?.port ?? 0, gate: ports.0, operators: ports.1, metrics: ports.2))
            }, logger: quietLogger)
        application.beforeServerStarts { await node.fence.step() }
        // Stopped from the last to the first: the other listeners before what keeps their memory true.
        let services: [any Service] =
            (accessLog.map { [AccessLogService(log: $0)] } ?? []) + [application]
            + [gate.service, operators.service, metrics.service].compactMap(\.self)
        var configuration = ServiceGroupConfiguration(
            services: services, gracefulShutdownSignals: [.sigterm, .sigint], logger: quietLogger)
        configuration.maximumGracefulShutdownDuration = settings.stopTimeout
        defer { logger.info("The server has stopped.") }
        let signals = SignalWatch(
            connections: connections, stopTimeout: settings.stopTimeout, logger: logger,
            reloads: reloadsAtHangup ? reloads(of: certificates) : [])
        let watching = Task { await signals.run() }
        defer { watching.cancel() }
        try await withTaskCancellationHandler {
            try await ServiceGroup(configuration: configuration).run()
        } onCancel: {
            connections.abortAll()
        }
    }

    /// The library logs whole errors of connections; what it says below warnings is not for an operator.
    private var quietLogger: Logger {
        var quiet = logger
        quiet.logLevel = max(logger.logLevel, .warning)
        return quiet
    }

    /// What `SIGHUP` reads again, each on its own.
    private func reloads(of certificates: CurrentCertificates?) -> [SignalWatch.Reload] {
        let fence = node.fence
        return [
            ("the certificate", { try certificates?.reload() }),
            ("the master keys", { try await fence.reloadMasterKeys() }),
        ]
    }

    /// The operator API on its own listener: the same limits and the same TLS as on the public one; a Unix socket has none.
    private func makeOperatorListener(
        _ listeners: Listeners, onReady: @escaping @Sendable (Int) -> Void
    ) throws -> InternalListener? {
        guard let address = settings.operatorAddress else { return nil }
        let isTLS = listeners.certificates != nil && !address.isSocket
        var edge = try makeResponder(for: .operatorsAlone, isTLS: isTLS)
        edge.isSocket = address.isSocket
        return listeners.listener(.operators, at: address, edge, isTLS: isTLS, onReady: onReady)
    }

    /// Plain HTTP: it says nothing of anyone, and whoever watches should need no certificate.
    private func makeMetricsListener(
        _ listeners: Listeners, onReady: @escaping @Sendable (Int) -> Void
    ) throws -> InternalListener? {
        guard let address = settings.metricsAddress else { return nil }
        guard let registry = node.metrics.factory as? PrometheusRegistry else {
            throw KeybearerError(.internalError, "There are no metrics to serve at \(address).")
        }
        let measured = ServerMetrics(
            node: node, connections: listeners.connections, certificates: listeners.certificates)
        var edge = try makeResponder(for: .metricsAlone, isTLS: false) {
            measured.observe()
            return registry.text()
        }
        edge.isSocket = address.isSocket
        return listeners.listener(.metrics, at: address, edge, isTLS: false, onReady: onReady)
    }

    private func makeGateListener(
        _ listeners: Listeners, onReady: @escaping @Sendable (Int) -> Void
    ) -> GateListener? {
        settings.gate.map { gateSettings in
            listeners.gate(
                GateDecision(
                    node: node, clocks: clocks, settings: gateSettings, challenges: challenges, accessLog: accessLog,
                    logger: logger),
                onReady: onReady)
        }
    }

    /// The one function that builds what answers requests; the server and the tests share it.
    ///
    /// - Parameters:
    ///   - served: what the listener serves; nil for the public one.
    ///   - isTLS: whether its connections are encrypted; nil as on the public one.
    ///   - metrics: writes what is measured.
    func makeResponder(
        for served: ServedRoutes? = nil, isTLS: Bool? = nil, metrics: @escaping @Sendable () -> String = { "" }
    ) throws -> EdgeResponder {
        let served = served ?? (settings.operatorAddress == nil ? .all : .allButOperators)
        let pages = try makePages()
        let api = APIResponder(
            node: node, clocks: clocks, logger: logger, challenges: challenges,
            metrics: VerdictMetrics(.api, of: node, clocks: clocks))
        let routes = RouteTable(try makeRoutes(pages, for: served, metrics: metrics))
        let operators = OperatorResponder(
            tokens: services.operatorTokens, writes: services.writes,
            batch: BatchHandler(routes: routes, writes: services.writes, api: api), api: api, bodies: bodies)
        return EdgeResponder(
            routes: routes, served: served,
            clientAddress: ClientAddress(trusted: settings.trustedProxies), isTLS: isTLS ?? (settings.tls != nil),
            bodies: bodies, api: api, operators: operators, dashboard: pages, place: place, logger: logger,
            metrics: served == .metricsAlone ? nil : ResponseMetrics(of: node),
            accessLog: served == .metricsAlone ? nil : accessLog)
    }

    /// Every route with its handler.
    func makeRoutes() throws -> [Route] {
        try makeRoutes(try makePages(), for: .all)
    }

    private var bodies: BodyReader { BodyReader(timeout: settings.bodyTimeout, memory: bodyMemory) }

    private var place: Place { Place(publicURL: settings.publicURL, apiURL: settings.apiURL) }
    private var challenges: Challenges { Challenges(product: settings.brand.productName) }

    private func makePages() throws -> DashboardResponder {
        let cookie = SessionCookie(place: place, product: settings.brand.productName)
        return DashboardResponder(
            sessions: services.sessions, portalLinks: services.portalLinks, bodies: bodies,
            crossSite: CrossSiteCheck(publicOrigin: settings.publicURL?.origin),
            frames: FramePolicy(origins: settings.embedOrigins),
            renderer: try PageRenderer(place: place, brand: settings.brand, clocks: clocks), random: random,
            place: place, cookie: cookie, devices: services.mails.isOn ? DeviceCookie(cookie) : nil,
            challenges: challenges,
            logger: logger)
    }

    private func makeRoutes(
        _ pages: DashboardResponder, for served: ServedRoutes, metrics: @escaping @Sendable () -> String = { "" }
    ) throws -> [Route] {
        let users = UserHandlers(writes: services.writes, directory: services.directory, keys: services.keys)
        let workspaces = WorkspaceHandlers(
            writes: services.writes, directory: services.directory, workspaces: services.workspaces)
        let api = APIHandlers(keys: services.keys, reports: services.usage)
        let keyPages = KeyPages(
            services, node: node, settings: settings, pages: pages,
            api: APIResponder(
                node: node, clocks: clocks, logger: logger, challenges: challenges,
                metrics: VerdictMetrics(.api, of: node, clocks: clocks)),
            route: Routes.profile(api))
        var handlers = RouteHandlers(
            probes: Probes(node: node, clocks: clocks, checkStore: checkStore),
            metrics: MetricsHandlers(text: metrics),
            api: api,
            webhooks: WebhookHandlers(services), operatorWebhooks: OperatorWebhookHandlers(services),
            events: EventHandlers(services),
            operators: IntrospectionHandlers(node: node, clocks: clocks),
            users: users, workspaces: workspaces,
            serviceAccounts: .init(writes: services.writes, accounts: services.serviceAccounts, users: users),
            limits: LimitHandlers(writes: services.writes, users: users, workspaces: workspaces),
            lookups: KeyLookupHandlers(
                directory: services.directory, writes: services.writes, keys: services.keys),
            usage: UsageHandlers(usage: services.usage, writes: services.writes),
            bulk: BulkHandlers(writes: services.writes),
            portalLinks: PortalLinkHandlers(
                links: services.portalLinks, place: place, isOnPublicListener: settings.operatorAddress == nil),
            portal: PortalHandlers(links: services.portalLinks, pages: pages),
            assets: AssetHandlers(brand: BrandAssets(settings.brand)),
            reference: makeReference([], pages, for: served),
            signIn: SignInHandlers(
                service: services.signIn, sessions: services.sessions, secondFactors: services.secondFactors,
                identities: services.identities, isMailOn: services.mails.isOn, pages: pages),
            identities: IdentityHandlers(
                service: services.identities, sessions: services.sessions, pages: pages,
                redirectURI: settings.publicURL.map { $0.description + Routes.providerCallback }),
            keyPages: keyPages,
            webhookPages: WebhookPageHandlers(services, keyPages.key, pages, clocks),
            usagePage: UsagePageHandlers(
                usage: services.usage, serviceAccounts: services.serviceAccounts, node: node, pages: pages),
            workspacePages: WorkspacePageHandlers(
                workspaces: services.workspaces, serviceAccounts: services.serviceAccounts, pages: pages),
            teamPages: TeamPageHandlers(
                workspaces: services.workspaces, invitations: services.invitations,
                serviceAccounts: keyPages.serviceAccounts, pages: pages, clocks: clocks),
            invitations: InvitationHandlers(
                invitations: services.invitations, isSignUpOpen: services.signIn.isSignUpOpen, pages: pages),
            activity: ActivityHandlers(
                activity: services.activity, workspaces: services.workspaces, pages: pages),
            account: AccountPageHandlers(
                signIn: services.signIn, sessions: services.sessions, identities: services.connectedIdentities,
                secondFactors: services.secondFactors, emails: services.emails, pages: pages),
            mailLinks: MailLinkHandlers(emails: services.emails, resets: services.passwordResets, pages: pages),
            secondFactor: SecondFactorHandlers(
                service: services.secondFactors, pages: pages, issuer: settings.brand.productName.description))
        // On the operators' own listener, the public address leads elsewhere.
        let openAPI = OpenAPI(
            routes: routes(handlers, for: served), product: settings.brand.productName,
            place: served == .operatorsAlone ? Place() : place)
        handlers.openAPI = OpenAPIHandlers(openAPI)
        handlers.reference = makeReference(routes(handlers, for: served), pages, for: served)
        return routes(handlers, for: served)
    }

    private func makeReference(
        _ routes: [Route], _ pages: DashboardResponder, for served: ServedRoutes
    ) -> ReferenceHandlers {
        ReferenceHandlers(
            routes: routes, place: served == .operatorsAlone ? Place() : place,
            keyPrefix: settings.keyPrefix.characters, renderer: pages.renderer)
    }

    private func routes(_ handlers: RouteHandlers, for served: ServedRoutes) -> [Route] {
        Routes.all(handlers).filter { route in
            served.includes(route) && (settings.isRegenerateByKeyOpen || route.path != Routes.regenerateByKey)
        }
    }
}
