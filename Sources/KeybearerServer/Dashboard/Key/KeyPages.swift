import Keybearer

/// All that the dashboard does with keys: a person's own, and those of service accounts.
struct KeyPages: Sendable {
    let key: KeyPageHandlers
    let networks: NetworkHandlers
    let trial: TrialHandlers
    let serviceAccounts: ServiceAccountPageHandlers

    /// - Parameters:
    ///   - api: makes the request of "Try it".
    ///   - route: that request's.
    init(
        _ services: Services, node: Node, settings: KeybearerServer.Settings, pages: DashboardResponder,
        api: APIResponder,
        route: Route
    ) {
        let proxies = ClientAddress(trusted: settings.trustedProxies)
        key = KeyPageHandlers(
            keys: services.keys, sessions: services.sessions, workspaces: services.workspaces,
            serviceAccounts: services.serviceAccounts, node: node, pages: pages,
            keyPrefix: settings.keyPrefix.characters, isProxy: { proxies.isTrusted($0) })
        networks = NetworkHandlers(keys: services.keys, keyPage: key, pages: pages)
        trial = TrialHandlers(
            keys: services.keys, keyPage: key, api: api, bodies: pages.bodies, pages: pages, route: route)
        serviceAccounts = ServiceAccountPageHandlers(
            accounts: services.serviceAccounts, keys: services.keys, keyPage: key, pages: pages)
    }
}
