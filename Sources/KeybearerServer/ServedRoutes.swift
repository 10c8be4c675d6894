/// Which of the routes a listener serves. What it does not serve is not there: neither the paths nor their description.
enum ServedRoutes: Sendable {
    /// All: there is one listener.
    case all
    /// All but the operator API, which has a listener of its own.
    case allButOperators
    /// The operator API alone, with the document that describes it.
    case operatorsAlone

    /// Whether the listener has a route.
    func includes(_ route: Route) -> Bool { route.path == Routes.document || includes(path: route.path[...]) }

    /// Whether the listener has anything at a path like this.
    func includes(path: Substring) -> Bool {
        switch self {
        case .all: true
        case .allButOperators: !OperatorResponder.isOperator(path)
        case .operatorsAlone: OperatorResponder.isOperator(path)
        }
    }
}
