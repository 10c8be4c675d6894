/// Which of the routes a listener serves. What it does not serve is not there: neither the paths nor their description.
enum ServedRoutes: Sendable {
    /// All: there is one listener.
    case all
    /// All but the operator API, which has a listener of its own.
    case allButOperators
    /// The operator API alone, with the document and the page that describe it.
    case operatorsAlone

    /// Whether the listener has a route.
    func includes(_ route: Route) -> Bool {
        Self.everywhere.contains(route.path) || includes(path: route.path[...])
    }

    /// What describes a listener's routes, and what that page is shown with.
    static let everywhere: Set<String> = [
        Routes.document, Routes.reference, Routes.stylesheet, DashboardAssets.brandStylesheetPath,
        DashboardAssets.logoPath,
    ]

    /// Whether the listener has anything at a path like this.
    func includes(path: Substring) -> Bool {
        switch self {
        case .all: true
        case .allButOperators: !OperatorResponder.isOperator(path)
        case .operatorsAlone: OperatorResponder.isOperator(path) || Self.everywhere.contains(String(path))
        }
    }
}
