/// Which of the routes a listener serves. What it does not serve is not there: neither the paths nor their description.
enum ServedRoutes: Sendable {
    /// All: there is one listener.
    case all
    /// All but the operator API, which has a listener of its own.
    case allButOperators
    /// The operator API alone, with the document and the page that describe it.
    case operatorsAlone
    /// What is measured, and the questions of an orchestrator.
    case metricsAlone

    /// Whether the listener has a route.
    func includes(_ route: Route) -> Bool {
        if self == .metricsAlone || route.path == Routes.metrics { return includes(path: route.path[...]) }
        return Self.everywhere.contains(route.path) || includes(path: route.path[...])
    }

    /// What describes a listener's routes, and what that page is shown with.
    static let everywhere: Set<String> = [
        Routes.document, Routes.reference, Routes.stylesheet, DashboardAssets.brandStylesheetPath,
        DashboardAssets.logoPath,
    ]

    private static let ofMetrics: Set<String> = [Routes.metrics, Routes.health, Routes.readiness]

    /// Whether the listener has anything at a path like this.
    func includes(path: Substring) -> Bool {
        switch self {
        case .all: path != Routes.metrics
        case .allButOperators: !OperatorResponder.isOperator(path) && path != Routes.metrics
        case .metricsAlone: Self.ofMetrics.contains(String(path))
        case .operatorsAlone: OperatorResponder.isOperator(path) || Self.everywhere.contains(String(path))
        }
    }
}
